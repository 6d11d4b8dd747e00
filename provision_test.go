package forge_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
)

// installs makes the install of the stack succeed at once.
func (w *world) installs() *world {
	w.Stub(forge.KindInstallStack, func(context.Context, forge.TestWork) error { return nil })
	return w
}

func (w *world) create(opts ...func(*forge.ServerOpts)) (*forge.Server, *forge.Action) {
	o := forge.ServerOpts{Name: "web-1", Provider: "cloud"}
	for _, fn := range opts {
		fn(&o)
	}
	srv, a, err := w.Servers.Create(w.t.Context(), o)
	require.NoError(w.t, err)
	return srv, a
}

func (w *world) read(id string) *forge.Server {
	srv, err := w.Servers.Get(w.t.Context(), id)
	require.NoError(w.t, err)
	return srv
}

// statuses are the moves of a record, in order.
func (w *world) statuses(subject forge.Subject) (to []string) {
	require.NoError(w.t, w.store.View(w.t.Context(), func(tx forge.Tx) error {
		events, err := tx.Events(forge.Beginning, 1<<20)
		for _, e := range events {
			if e.Subject == subject && e.Type == forge.EventStatus {
				to = append(to, e.To)
			}
		}
		return err
	}))
	return to
}

func (w *world) calls(op providertest.Op) (n int) {
	for _, c := range w.cloud.Calls() {
		if c.Op == op {
			n++
		}
	}
	return n
}

func TestServerIsCreatingBeforeTheProviderIsAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var w *world
		var seen []string
		w = newWorld(t, store, q, providertest.FakeConfig{
			Boot: providertest.Boot{Pending: 1},
			Fault: func(c providertest.Call) providertest.Fault {
				all := w.servers()
				seen = append(seen, fmt.Sprintf("%s: %s %q", c.Op, all[0].Status, all[0].ProviderID))
				return providertest.Fault{}
			},
		}).installs()
		defer w.start()()
		srv, a := w.create()
		require.Equal(t, forge.ServerPending, srv.Status)
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, []string{`Create: creating ""`, `Get: creating "fake-1"`, `Get: creating "fake-1"`}, seen)
		require.Equal(t, []string{"pending", "creating", "provisioning", "active"}, w.statuses(forge.Subject{Kind: forge.SubjectServer, ID: srv.ID}))
		srv = w.read(srv.ID)
		require.Equal(t, "198.18.0.1", srv.Address)
		require.Equal(t, "198.18.0.1", srv.IPv4)
		require.False(t, srv.Provisioned.IsZero())
		kinds := []forge.Kind{}
		for part, err := range w.Actions.All(t.Context(), forge.ActionFilter{Parent: a.ID}) {
			require.NoError(t, err)
			kinds = append(kinds, part.Kind)
		}
		require.Equal(t, []forge.Kind{forge.KindProvision, forge.KindInstallStack}, kinds)
	})
}

// servers reads the servers beside the fake, which is in a call.
func (w *world) servers() (servers []*forge.Server) {
	require.NoError(w.t, w.store.View(w.t.Context(), func(tx forge.Tx) (err error) {
		servers, err = tx.Servers().List(forge.ServerFilter{}, forge.Page{})
		return err
	}))
	return servers
}

func TestFaultsOfTheProvider(t *testing.T) {
	t.Parallel()
	type faults = []providertest.Fault
	tests := map[string]struct {
		boot        providertest.Boot
		create, get faults
		reason      forge.Reason // empty: the server comes up
		text        string
		after       time.Duration // how long it takes, at least and 10 % more at most
		made        int
	}{
		"none":                        {made: 1},
		"answer lost after effect":    {create: faults{{Lost: true}, {Lost: true, Err: context.DeadlineExceeded}}, made: 1, after: 12 * time.Second},
		"fails before the effect":     {create: faults{{Err: provider.ErrUnavailable}}, made: 1, after: 4 * time.Second},
		"an error of no class":        {create: faults{{Err: context.DeadlineExceeded}}, made: 1, after: 4 * time.Second},
		"slow to become active":       {boot: providertest.Boot{Duration: 2 * time.Minute}, made: 1, after: 2 * time.Minute},
		"not found for a while":       {boot: providertest.Boot{Missing: 3, Pending: 1}, made: 1},
		"get unavailable for a while": {boot: providertest.Boot{Pending: 2}, get: faults{{Err: provider.ErrUnavailable}}, made: 1},
		"rate limit": {create: slices.Repeat(faults{{Err: provider.ErrRateLimit}}, 4),
			get: faults{{Err: provider.ErrRateLimit}}, boot: providertest.Boot{Pending: 1}, made: 1},
		"quota":      {create: faults{{Err: fmt.Errorf("%w: 10 of 10 droplets", provider.ErrQuota)}}, reason: forge.ReasonProvider, text: "10 of 10 droplets"},
		"capacity":   {create: faults{{Err: provider.ErrCapacity}}, reason: forge.ReasonProvider},
		"bad token":  {create: faults{{Err: provider.ErrAuth}}, reason: forge.ReasonProvider},
		"no scope":   {create: faults{{Err: provider.ErrPermission}}, reason: forge.ReasonProvider},
		"no tool":    {create: faults{{Err: provider.ErrMissing}}, reason: forge.ReasonProvider},
		"gives up":   {boot: providertest.Boot{Pending: 1, End: provider.StatusError}, reason: forge.ReasonProvider, text: "gave up", made: 1},
		"never made": {create: slices.Repeat(faults{{Err: provider.ErrUnavailable}}, 100), reason: forge.ReasonTimeout, text: "create", after: 5 * time.Minute},
		"never active": {boot: providertest.Boot{End: provider.StatusPending}, reason: forge.ReasonTimeout, text: "it came as far as: active",
			after: 5 * time.Minute, made: 1},
		"active without address": {boot: providertest.Boot{NoAddress: true}, reason: forge.ReasonTimeout, text: "it came as far as: address",
			after: 5 * time.Minute, made: 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				w := newWorld(t, store, q, providertest.FakeConfig{Boot: test.boot}).installs()
				w.cloud.Inject(providertest.OpCreate, test.create...)
				w.cloud.Inject(providertest.OpGet, test.get...)
				defer w.start()()
				srv, a := w.create()
				done, err := w.Actions.Wait(t.Context(), a.ID)
				srv = w.read(srv.ID)
				require.Equal(t, test.made, w.cloud.Made())
				require.GreaterOrEqual(t, time.Since(a.Created), test.after)
				if test.after > 0 {
					require.Less(t, time.Since(a.Created), test.after+6*time.Second)
				}
				if test.reason == "" {
					require.NoError(t, err)
					require.Equal(t, forge.ServerActive, srv.Status)
					return
				}
				require.ErrorIs(t, err, forge.ErrFailed)
				require.Equal(t, test.reason, done.Failure.Reason)
				require.Contains(t, done.Failure.Message, test.text)
				require.Equal(t, forge.ServerError, srv.Status)
				require.Contains(t, srv.Failure, test.text)

				// Delete takes away whatever there is, and Retry made no second one.
				deleted, err := w.Servers.Delete(t.Context(), srv.ID, nil)
				require.NoError(t, err)
				_, err = w.Actions.Wait(t.Context(), deleted.ID)
				require.NoError(t, err)
				require.Empty(t, w.cloud.Machines())
				require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
			})
		})
	}
}

func TestShutdownBetweenCreateAndActive(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{Boot: providertest.Boot{Duration: time.Minute}}).installs()
		stop := w.start()
		srv, a := w.create()
		time.Sleep(7 * time.Second)
		stop()
		require.Equal(t, "fake-1", w.read(srv.ID).ProviderID)
		next := w.join(store, queuememory.New(queuememory.Config{})).installs()
		defer next.start()()
		_, err := next.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, 1, w.cloud.Made())
		require.Equal(t, 1, w.calls(providertest.OpCreate))
	})
}

func TestDeathRightAfterCreate(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		dying := &mutableStore{Store: store}
		w := newWorld(t, dying, q, providertest.FakeConfig{Fault: func(c providertest.Call) providertest.Fault {
			dying.broken.Store(c.Op == providertest.OpCreate)
			return providertest.Fault{}
		}}).installs()
		defer w.start()()
		srv, a := w.create()
		synctest.Wait()
		require.Equal(t, 1, w.cloud.Made())
		w.store = store
		require.Empty(t, w.servers()[0].ProviderID, "it died before it could write it down")

		w.cloud.Inject(providertest.OpCreate, providertest.Fault{})
		next := w.join(store, queuememory.New(queuememory.Config{})).installs()
		defer next.start()()
		_, err := next.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, "fake-1", next.read(srv.ID).ProviderID)
		require.Equal(t, 1, w.cloud.Made(), "the next worker adopts it")
	})
}

func TestIdempotencyKeyMakesOneServer(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		defer w.start()()
		var mu sync.Mutex
		servers, actions := map[string]bool{}, map[string]bool{}
		var asking sync.WaitGroup
		for range 200 {
			asking.Go(func() {
				srv, a := w.create(func(o *forge.ServerOpts) { o.IdempotencyKey = "order-1" })
				mu.Lock()
				defer mu.Unlock()
				servers[srv.ID], actions[a.ID] = true, true
			})
		}
		asking.Wait()
		require.Len(t, servers, 1)
		require.Len(t, actions, 1)
		for id := range actions {
			_, err := w.Actions.Wait(t.Context(), id)
			require.NoError(t, err)
		}
		require.Equal(t, 1, w.cloud.Made())
		_, a := w.create(func(o *forge.ServerOpts) { o.IdempotencyKey = "order-1" })
		require.True(t, actions[a.ID])
		_, a, err := w.For("other").Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "cloud", IdempotencyKey: "order-1"})
		require.NoError(t, err)
		require.False(t, actions[a.ID], "keys are an owner's own")
	})
}

func TestManyServersKeepWithinThePool(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var running, most atomic.Int32
		asked := make(map[string]bool)
		w := newWorld(t, store, q, providertest.FakeConfig{
			Boot: providertest.Boot{Duration: 12 * time.Second},
			Fault: func(c providertest.Call) providertest.Fault {
				again := asked[c.ID]
				asked[c.ID] = true
				return providertest.Fault{Delay: time.Second, Lost: !again}
			},
		})
		w.Stub(forge.KindInstallStack, func(context.Context, forge.TestWork) error {
			time.Sleep(10 * time.Second)
			return nil
		})
		for _, kind := range []forge.Kind{forge.KindProvision, forge.KindInstallStack} {
			w.Wrap(kind, func(_ context.Context, _ forge.TestWork, work func() error) error {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				return work()
			})
		}
		defer w.start()()
		for i := range 50 {
			w.create(func(o *forge.ServerOpts) { o.Name = fmt.Sprintf("web-%d", i) })
		}
		for a, err := range w.Actions.All(t.Context(), forge.ActionFilter{Kind: forge.KindCreateServer}) {
			require.NoError(t, err)
			_, err = w.Actions.Wait(t.Context(), a.ID)
			require.NoError(t, err)
		}
		require.Equal(t, 50, w.cloud.Made())
		require.EqualValues(t, 3, most.Load())
	})
}

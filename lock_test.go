package forge_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// Who is woken for one lock and then has to wait for another lets the first one
// go to the next in line.
func TestWakeUpForALockIsPassedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		gates := map[string]chan struct{}{"server": make(chan struct{}), "site": make(chan struct{})}
		e := newWorld(t, store, q, providertest.FakeConfig{})
		e.Stub(forge.KindExec, func(ctx context.Context, w forge.TestWork) error {
			if gate := gates[w.Action().Input.Service]; gate != nil {
				select {
				case <-gate:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
		defer e.start()()
		ask := func(gate string, locks ...string) *forge.Action {
			a := e.insert(func(a *forge.Action) { a.Kind, a.Input.Service, a.Locks = forge.KindExec, gate, locks })
			synctest.Wait()
			return a
		}
		site := ask("site", "site")
		server := ask("server", "server")
		both := ask("", "server", "site")
		next := ask("", "server")
		close(gates["server"])
		synctest.Wait()
		require.Equal(t, forge.ActionFinished, e.get(server.ID).Status)
		require.Equal(t, forge.ActionRunning, e.get(site.ID).Status)
		require.Equal(t, forge.ActionPending, e.get(both.ID).Status)
		require.Equal(t, forge.ActionFinished, e.get(next.ID).Status, "nobody holds the server")
		close(gates["site"])
		_, err := e.Actions.Wait(t.Context(), both.ID)
		require.NoError(t, err)
	})
}

// A lock that went with its site leaves nobody waiting.
func TestLockOfASiteThatWasDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		site := w.addSite(w.addServer(""), "example.com")
		gate := make(chan struct{})
		w.Stub(forge.KindDeleteSite, func(_ context.Context, tw forge.TestWork) error {
			<-gate
			tw.SiteRemoved()
			return nil
		})
		w.Stub(forge.KindExec, func(context.Context, forge.TestWork) error { return nil })
		defer w.start()()
		_, err := w.Sites.Delete(t.Context(), site.ID)
		require.NoError(t, err)
		synctest.Wait()
		waits := w.insert(func(a *forge.Action) { a.Kind, a.Locks = forge.KindExec, []string{"site-" + site.ID} })
		synctest.Wait()
		require.Equal(t, "site-"+site.ID, w.get(waits.ID).Waits)
		close(gate)
		synctest.Wait()
		require.Equal(t, forge.ActionFinished, w.get(waits.ID).Status)
	})
}

func TestLocksAreFreeBetweenAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newWorld(t, store, q, providertest.FakeConfig{})
		e.SetHandler(forge.KindExec, 3, time.Minute, func(_ context.Context, w forge.TestWork) error {
			if w.Action().Input.Service == "fails" {
				return forge.ErrUnavailable
			}
			return nil
		})
		defer e.start()()
		ask := func(service string) *forge.Action {
			a := e.insert(func(a *forge.Action) {
				a.Kind, a.Input.Service, a.Locks = forge.KindExec, service, []string{"server"}
			})
			synctest.Wait()
			return a
		}
		failing := ask("fails")
		require.Equal(t, forge.ActionPending, e.get(failing.ID).Status)
		require.Equal(t, forge.ActionFinished, e.get(ask("").ID).Status)
		_, err := e.Actions.Wait(t.Context(), failing.ID)
		require.Error(t, err)
	})
}

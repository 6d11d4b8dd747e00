package forge_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

func TestCancelWhileCreatingAndRetry(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		w.cloud.Inject(providertest.OpCreate, providertest.Fault{Delay: time.Minute})
		defer w.start()()
		srv, a := w.create()
		time.Sleep(time.Second)
		require.Equal(t, forge.ServerCreating, w.read(srv.ID).Status)
		require.NoError(t, w.Actions.Cancel(t.Context(), a.ID))
		done, err := w.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Equal(t, forge.ActionCancelled, done.Status)
		require.Less(t, time.Since(a.Created), 3*time.Second)
		require.Equal(t, forge.ServerError, w.read(srv.ID).Status)
		require.Equal(t, "cancelled", w.read(srv.ID).Failure)

		again, err := w.Servers.Retry(t.Context(), srv.ID)
		require.NoError(t, err)
		_, err = w.Servers.Retry(t.Context(), srv.ID)
		require.ErrorIs(t, err, forge.ErrState, "one at a time")
		_, err = w.Actions.Wait(t.Context(), again.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerActive, w.read(srv.ID).Status)
		require.Empty(t, w.read(srv.ID).Failure)
		require.Equal(t, 1, w.cloud.Made())
	})
}

// The provider answers in spite of the cancel: what was begun is finished, and
// nothing more is begun.
func TestCancelThatComesTooLateForTheMachine(t *testing.T) {
	t.Parallel()
	for _, remove := range []bool{false, true} {
		t.Run(fmt.Sprintf("delete %v", remove), func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				var installed atomic.Int32
				w := newWorld(t, store, q, providertest.FakeConfig{})
				p := &deafProvider{Fake: w.cloud, created: make(chan struct{}), answer: make(chan struct{})}
				w.machines = p
				w = w.join(store, q)
				w.Stub(forge.KindInstallStack, func(context.Context, forge.TestWork) error { installed.Add(1); return nil })
				defer w.start()()
				srv, a := w.create()
				<-p.created
				if remove {
					_, err := w.Servers.Delete(t.Context(), srv.ID, nil)
					require.NoError(t, err)
				} else {
					require.NoError(t, w.Actions.Cancel(t.Context(), a.ID))
				}
				synctest.Wait()
				close(p.answer)
				done, err := w.Actions.Wait(t.Context(), a.ID)
				require.Error(t, err)
				require.Equal(t, forge.ActionCancelled, done.Status)
				require.Less(t, time.Since(a.Created), 2*time.Second, "nobody waits for a lease")
				require.Zero(t, installed.Load())
				if remove {
					time.Sleep(time.Second)
					require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
					require.Empty(t, w.cloud.Machines())
					return
				}
				require.Equal(t, forge.ServerError, w.read(srv.ID).Status)
				again, err := w.Servers.Retry(t.Context(), srv.ID)
				require.NoError(t, err)
				_, err = w.Actions.Wait(t.Context(), again.ID)
				require.NoError(t, err)
				require.EqualValues(t, 1, installed.Load())
				require.Equal(t, 1, w.calls(providertest.OpCreate))
			})
		})
	}
}

// deafProvider answers a create when it is told to, whatever became of the
// context.
type deafProvider struct {
	*providertest.Fake
	created, answer chan struct{}
}

func (p *deafProvider) Create(_ context.Context, spec provider.Spec) (*provider.Machine, error) {
	m, err := p.Fake.Create(context.Background(), spec)
	close(p.created)
	<-p.answer
	return m, err
}

// existing makes no machines: a server of it has an address from the start.
type existing struct{ *providertest.Fake }

func (existing) Properties() provider.Properties { return provider.Properties{Existing: true} }

func TestRetryOfAMachineThatExists(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		w.machines = existing{w.cloud}
		w = w.join(store, q).installs()
		w.cloud.Inject(providertest.OpCreate, providertest.Fault{Err: provider.ErrInvalid})
		defer w.start()()
		srv, a := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		again, err := w.Servers.Retry(t.Context(), srv.ID)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), again.ID)
		require.NoError(t, err)
		require.Equal(t, "fake-1", w.read(srv.ID).ProviderID, "it was looked at before the stack was installed")
	})
}

func TestRetryGoesOnWithTheInstall(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var turns atomic.Int32
		w := newWorld(t, store, q, providertest.FakeConfig{})
		w.Stub(forge.KindInstallStack, func(ctx context.Context, work forge.TestWork) error {
			require.NoError(t, work.Step(ctx, "step 3 of 9: install PHP 8.2"))
			if turns.Add(1) == 1 {
				return errors.New("no space left")
			}
			return nil
		})
		defer w.start()()
		srv, a := w.create()
		failed, err := w.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Equal(t, "stack: install PHP 8.2", failed.Failure.Stage)
		require.Equal(t, "no space left", w.read(srv.ID).Failure)
		again, err := w.Servers.Retry(t.Context(), srv.ID)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), again.ID)
		require.NoError(t, err)
		require.Equal(t, 1, w.calls(providertest.OpCreate))
		require.Equal(t, forge.ServerActive, w.read(srv.ID).Status)
	})
}

func TestDeleteWhileCreating(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{Boot: providertest.Boot{Duration: time.Minute}}).installs()
		defer w.start()()
		srv, a := w.create()
		time.Sleep(10 * time.Second)
		require.Len(t, w.cloud.Machines(), 1)
		deleted, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), deleted.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ActionCancelled, w.get(a.ID).Status)
		require.Empty(t, w.cloud.Machines())
		require.Equal(t, []string{"pending", "creating", "deleting", "deleted"}, w.statuses(forge.Subject{Kind: forge.SubjectServer, ID: srv.ID}))
		require.Less(t, time.Since(a.Created), 20*time.Second)
	})
}

func TestDeleteOfAMachineWhoseIDWasNeverLearnt(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		w.cloud.Inject(providertest.OpCreate, providertest.Fault{Lost: true, Err: provider.ErrQuota})
		defer w.start()()
		srv, a := w.create()
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Empty(t, w.read(srv.ID).ProviderID)
		require.Len(t, w.cloud.Machines(), 1)
		w.cloud.Inject(providertest.OpList, providertest.Fault{Err: provider.ErrUnavailable})
		w.cloud.Inject(providertest.OpDelete, providertest.Fault{Lost: true})
		deleted, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), deleted.ID)
		require.NoError(t, err)
		require.Empty(t, w.cloud.Machines())
	})
}

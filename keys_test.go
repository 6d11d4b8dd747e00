package forge_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// ring is a world with a key and servers, on which each change of the key does
// what the test says.
type ring struct {
	*world
	key     *forge.Key
	servers []*forge.Server

	mu     sync.Mutex
	refuse map[string]error         // by server
	gates  map[string]chan struct{} // by server: the change waits for it
	deaf   bool                     // what waits does not hear that it is cancelled
	did    []forge.Kind
}

func withKey(t *testing.T, servers int, test func(t *testing.T, r *ring)) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		r := &ring{refuse: map[string]error{}, gates: map[string]chan struct{}{}}
		r.world = newWorld(t, store, q, providertest.FakeConfig{})
		r.key = r.addKey("acme")
		for range servers {
			r.servers = append(r.servers, r.addServer("acme"))
		}
		for _, kind := range []forge.Kind{forge.KindSyncKey, forge.KindRevokeKey, forge.KindCutKey} {
			r.Stub(kind, r.change)
		}
		defer r.start()()
		test(t, r)
	})
}

func (r *ring) change(ctx context.Context, work forge.TestWork) error {
	a := work.Action()
	r.mu.Lock()
	r.did = append(r.did, a.Kind)
	gate, err, cancelled := r.gates[a.Server], r.refuse[a.Server], ctx.Done()
	if r.deaf {
		cancelled = nil
	}
	r.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-cancelled:
			return context.Cause(ctx)
		}
	}
	return err
}

func (r *ring) opts(servers ...int) (o forge.Selector) {
	for _, i := range servers {
		o.Servers = append(o.Servers, r.servers[i].ID)
	}
	return o
}

func (r *ring) sync(servers ...int) *forge.Action {
	a, err := r.Keys.Sync(r.t.Context(), r.key.ID, r.opts(servers...))
	require.NoError(r.t, err)
	return a
}

func (r *ring) revoke(servers ...int) *forge.Action {
	a, err := r.Keys.Revoke(r.t.Context(), r.key.ID, r.opts(servers...), nil)
	require.NoError(r.t, err)
	return a
}

func (r *ring) delete() *forge.Action {
	a, err := r.Keys.Delete(r.t.Context(), r.key.ID)
	require.NoError(r.t, err)
	return a
}

func (r *ring) wait(a *forge.Action) error {
	_, err := r.Actions.Wait(r.t.Context(), a.ID)
	return err
}

// grant is the only grant on a server.
func (r *ring) grant(server int) *forge.Grant {
	found, err := r.Keys.Grants(r.t.Context(), forge.GrantFilter{Server: r.servers[server].ID}, forge.Page{})
	require.NoError(r.t, err)
	require.Len(r.t, found, 1)
	return found[0]
}

func TestSyncRevokeAndSyncAgain(t *testing.T) {
	withKey(t, 1, func(t *testing.T, r *ring) {
		require.NoError(t, r.wait(r.sync(0)))
		g := r.grant(0)
		require.Equal(t, forge.GrantSynced, g.Status)
		require.Equal(t, "forge", g.User)
		require.False(t, g.Synced.IsZero())
		require.NoError(t, r.wait(r.sync(0)), "again does no harm")

		time.Sleep(time.Minute)
		require.NoError(t, r.wait(r.revoke(0)))
		g = r.grant(0)
		require.Equal(t, forge.GrantRevoked, g.Status)
		require.Equal(t, time.Minute, g.Revoked.Sub(g.Synced).Round(time.Second))
		require.NoError(t, r.wait(r.revoke(0)), "again does no harm")
		require.Equal(t, g, r.grant(0))

		require.NoError(t, r.wait(r.sync(0)))
		again := r.grant(0)
		require.Equal(t, g.ID, again.ID)
		require.Equal(t, forge.GrantSynced, again.Status)
		require.Zero(t, again.Revoked)
		require.NoError(t, r.wait(r.delete()))
		_, err := r.Keys.Get(t.Context(), r.key.ID)
		require.ErrorIs(t, err, forge.ErrNotFound)
		require.Equal(t, []string{"pending", "synced", "pending", "synced", "revoking", "revoked", "pending", "synced", "revoking", "revoked"},
			r.statuses(forge.Subject{Kind: forge.SubjectGrant, ID: g.ID}))
	})
}

func TestPartOfAChangeThatFails(t *testing.T) {
	withKey(t, 3, func(t *testing.T, r *ring) {
		r.refuse[r.servers[1].ID] = errors.New("the user forge is not there")
		for i := range r.servers {
			r.gates[r.servers[i].ID] = make(chan struct{})
		}
		parent := r.sync(0, 1, 2)
		require.Equal(t, []int{3, 3, 0}, []int{parent.Children, parent.ChildrenOpen, parent.ChildrenFailed})
		synctest.Wait()
		require.Equal(t, forge.ActionRunning, r.get(parent.ID).Status)
		close(r.gates[r.servers[1].ID]) // it fails first, and the others finish
		synctest.Wait()
		now := r.get(parent.ID)
		require.Equal(t, []int{3, 2, 1}, []int{now.Children, now.ChildrenOpen, now.ChildrenFailed})
		require.Equal(t, forge.ActionRunning, now.Status)
		close(r.gates[r.servers[0].ID])
		close(r.gates[r.servers[2].ID])
		require.ErrorIs(t, r.wait(parent), forge.ErrFailed)
		now = r.get(parent.ID)
		require.Equal(t, forge.ActionFailed, now.Status)
		require.Contains(t, now.Failure.Message, "the user forge is not there", "whichever part ended last")
		require.Equal(t, forge.GrantSynced, r.grant(0).Status)
		require.Equal(t, forge.GrantFailed, r.grant(1).Status)
		require.Equal(t, "the user forge is not there", r.grant(1).Failure)
		require.Equal(t, forge.GrantSynced, r.grant(2).Status)

		r.refuse = nil
		again, err := r.Keys.Retry(t.Context(), parent.ID)
		require.NoError(t, err)
		require.Equal(t, 1, again.Children, "what failed, and nothing else")
		require.NoError(t, r.wait(again))
		require.Equal(t, forge.GrantSynced, r.grant(1).Status)
		require.Empty(t, r.grant(1).Failure)
	})
}

func TestPendingChangeIsSuperseded(t *testing.T) {
	withKey(t, 1, func(t *testing.T, r *ring) {
		gate := make(chan struct{})
		r.gates[r.servers[0].ID], r.deaf = gate, true
		running := r.sync(0)
		synctest.Wait()
		revoke := r.revoke(0)
		require.Equal(t, forge.GrantRevoking, r.grant(0).Status)
		last := r.sync(0)
		require.Equal(t, forge.GrantPending, r.grant(0).Status, "what was asked for last is what counts")
		require.ErrorIs(t, r.wait(revoke), forge.ErrFailed)
		require.Equal(t, forge.ActionSuperseded, r.get(revoke.ID).Status)
		close(gate)
		require.NoError(t, r.wait(running))
		require.NoError(t, r.wait(last))
		require.Equal(t, forge.GrantSynced, r.grant(0).Status)
		require.Equal(t, []forge.Kind{forge.KindSyncKey, forge.KindSyncKey}, r.did)
	})
}

// A retry of what was asked for earlier would undo what was asked for later.
func TestRunningChangeIsCancelledByALaterOne(t *testing.T) {
	withKey(t, 1, func(t *testing.T, r *ring) {
		gate := make(chan struct{})
		r.gates[r.servers[0].ID] = gate
		running := r.sync(0)
		synctest.Wait()
		revoke := r.revoke(0)
		require.ErrorIs(t, r.wait(running), forge.ErrFailed)
		require.Equal(t, forge.ActionCancelled, r.get(running.ID).Status)
		close(gate)
		require.NoError(t, r.wait(revoke))
		require.Equal(t, forge.GrantRevoked, r.grant(0).Status)
	})
}

// The end of a change that was asked for earlier says nothing about the grant.
func TestEarlierChangeDoesNotDecide(t *testing.T) {
	withKey(t, 1, func(t *testing.T, r *ring) {
		gate := make(chan struct{})
		r.gates[r.servers[0].ID], r.deaf = gate, true
		running := r.sync(0)
		synctest.Wait()
		revoke := r.revoke(0)
		gate <- struct{}{}
		require.NoError(t, r.wait(running))
		require.Equal(t, forge.GrantRevoking, r.grant(0).Status)
		require.Zero(t, r.grant(0).Synced)
		close(gate)
		require.NoError(t, r.wait(revoke))
		require.Equal(t, forge.GrantRevoked, r.grant(0).Status)
	})
}

func TestChangesAreRetried(t *testing.T) {
	withKey(t, 1, func(t *testing.T, r *ring) {
		r.refuse[r.servers[0].ID] = forge.ErrUnavailable
		parent := r.sync(0)
		require.Error(t, r.wait(parent))
		require.Len(t, r.did, 3)
		require.Equal(t, forge.GrantFailed, r.grant(0).Status)
		require.Equal(t, []string{"pending", "failed"}, r.statuses(forge.Subject{Kind: forge.SubjectGrant, ID: r.grant(0).ID}))
	})
}

func TestCancelOfASync(t *testing.T) {
	withKey(t, 2, func(t *testing.T, r *ring) {
		r.gates[r.servers[1].ID] = make(chan struct{})
		parent := r.sync(0, 1)
		synctest.Wait()
		require.NoError(t, r.Actions.Cancel(t.Context(), parent.ID))
		require.Error(t, r.wait(parent))
		require.Equal(t, forge.ActionCancelled, r.get(parent.ID).Status)
		require.Equal(t, forge.GrantSynced, r.grant(0).Status)
		require.Equal(t, forge.GrantFailed, r.grant(1).Status)
		require.Equal(t, "cancelled", r.grant(1).Failure)
	})
}

// What was granted on a server goes with it, so that the key can be deleted.
func TestGrantsGoWithTheirServer(t *testing.T) {
	withKey(t, 2, func(t *testing.T, r *ring) {
		require.NoError(t, r.wait(r.sync(0, 1)))
		require.NoError(t, r.wait(r.revoke(1)))
		gone, err := r.Servers.Delete(t.Context(), r.servers[0].ID, nil)
		require.NoError(t, err)
		require.NoError(t, r.wait(gone))
		grants, err := r.Keys.Grants(t.Context(), forge.GrantFilter{}, forge.Page{})
		require.NoError(t, err)
		require.Len(t, grants, 1)
		require.Equal(t, forge.ActionFinished, r.delete().Status, "at once")
	})
}

// A sync that failed and will be repeated does not undo a revoke that was asked
// for since.
func TestRevokeIsNotUndoneByAnEarlierSync(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		var did []string
		entered, goOn := make(chan struct{}), make(chan struct{})
		w.Stub(forge.KindSyncKey, func(_ context.Context, tw forge.TestWork) error {
			if tw.Action().Attempt == 1 {
				close(entered)
				<-goOn
				return forge.ErrUnavailable
			}
			did = append(did, "add")
			return nil
		})
		w.Stub(forge.KindRevokeKey, func(context.Context, forge.TestWork) error {
			did = append(did, "remove")
			return nil
		})
		defer w.start()()
		key, to := w.addKey(""), forge.Selector{Servers: []string{w.addServer("").ID}}
		sync, err := w.Keys.Sync(t.Context(), key.ID, to)
		require.NoError(t, err)
		<-entered
		revoke, err := w.Keys.Revoke(t.Context(), key.ID, to, nil)
		require.NoError(t, err)
		close(goOn)
		_, err = w.Actions.Wait(t.Context(), revoke.ID)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), sync.ID)
		require.Error(t, err)
		require.Equal(t, []string{"remove"}, did)
		grants, err := w.Keys.Grants(t.Context(), forge.GrantFilter{Key: key.ID}, forge.Page{})
		require.NoError(t, err)
		require.Equal(t, forge.GrantRevoked, grants[0].Status)
	})
}

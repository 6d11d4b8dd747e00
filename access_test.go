package forge_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// states puts a server of each status beside those of the ring, by their names.
func (r *ring) states(edit ...func(*forge.Server)) map[forge.ServerStatus]*forge.Server {
	made := map[forge.ServerStatus]*forge.Server{}
	for _, status := range []forge.ServerStatus{
		forge.ServerPending, forge.ServerCreating, forge.ServerProvisioning, forge.ServerActive, forge.ServerError,
		forge.ServerArchived, forge.ServerDeleting, forge.ServerDeleted,
	} {
		made[status] = r.addServer("acme", append(edit, func(s *forge.Server) { s.Status, s.Name = status, "is-"+string(status) })...)
	}
	return made
}

// grants are the states of what was granted, by server.
func (r *ring) grants() map[string]forge.GrantStatus {
	found := map[string]forge.GrantStatus{}
	for _, g := range r.all() {
		found[g.Server] = g.Status
	}
	return found
}

func (r *ring) all() []*forge.Grant {
	found, err := r.Keys.Grants(r.t.Context(), forge.GrantFilter{}, forge.Page{})
	require.NoError(r.t, err)
	return found
}

// said is what the log of an action says.
func (r *ring) said(a *forge.Action) (lines []string) {
	for line, err := range r.Actions.Follow(r.t.Context(), a.ID, 0) {
		require.NoError(r.t, err)
		lines = append(lines, line.Text)
	}
	return lines
}

func TestSelectedByLabel(t *testing.T) {
	withKey(t, 1, func(t *testing.T, r *ring) {
		web := func(s *forge.Server) { s.Labels = map[string]string{"role": "web", "zone": s.ID[:1]} }
		here := r.states(web)
		r.addServer("other", web)
		sync, err := r.Keys.Sync(t.Context(), r.key.ID, forge.Selector{Labels: map[string]string{"role": "web"}})
		require.NoError(t, err)
		require.NoError(t, r.wait(sync))
		require.Equal(t, map[string]forge.GrantStatus{
			here[forge.ServerPending].ID:      forge.GrantPending,
			here[forge.ServerCreating].ID:     forge.GrantPending,
			here[forge.ServerProvisioning].ID: forge.GrantPending,
			here[forge.ServerError].ID:        forge.GrantPending,
			here[forge.ServerActive].ID:       forge.GrantSynced,
		}, r.grants())
		require.Equal(t, []string{
			"is-pending is pending: it is done when it is active",
			"is-creating is creating: it is done when it is active",
			"is-provisioning is provisioning: it is done when it is active",
			"is-error is error: it is done when it is active",
			"is-archived is archived and was passed over",
			"is-deleting is deleting and was passed over",
		}, r.said(sync))
		for _, g := range r.all() {
			require.True(t, g.Wanted)
			require.Equal(t, r.key.Public, g.Public)
		}

		everywhere, err := r.Keys.Revoke(t.Context(), r.key.ID, forge.Selector{All: true}, nil)
		require.NoError(t, err)
		require.NoError(t, r.wait(everywhere))
		require.Equal(t, []forge.GrantStatus{forge.GrantRevoked}, slices.Compact(slices.Sorted(maps.Values(r.grants()))))
		require.Equal(t, 1, everywhere.Children, "the others never got it")
		require.Equal(t, []forge.Kind{forge.KindSyncKey, forge.KindRevokeKey}, r.did)

		again, err := r.Keys.Revoke(t.Context(), r.key.ID, forge.Selector{All: true}, nil)
		require.NoError(t, err)
		require.Equal(t, forge.ActionFinished, again.Status, "nothing is left to be done")
	})
}

func TestWhatIsNamedHasToBeFit(t *testing.T) {
	withKey(t, 1, func(t *testing.T, r *ring) {
		here := r.states()
		before := r.contents()
		for _, status := range []forge.ServerStatus{forge.ServerArchived, forge.ServerDeleting, forge.ServerDeleted} {
			_, err := r.Keys.Sync(t.Context(), r.key.ID, forge.Selector{Servers: []string{r.servers[0].ID, here[status].ID}})
			require.ErrorIs(t, err, forge.ErrState, status)
		}
		require.Equal(t, before, r.contents(), "nothing was written")
	})
}

func TestPutOffUntilTheServerIsActive(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		var did []string
		for _, kind := range []forge.Kind{forge.KindSyncKey, forge.KindRevokeKey} {
			w.Stub(kind, func(_ context.Context, tw forge.TestWork) error {
				did = append(did, string(tw.Action().Kind))
				return nil
			})
		}
		srv, made := w.create()
		key := w.addKey(srv.Owner)
		sync, err := w.Keys.Sync(t.Context(), key.ID, forge.Selector{Servers: []string{srv.ID}})
		require.NoError(t, err)
		require.Equal(t, forge.ActionFinished, sync.Status, "there is nothing to wait for")
		defer w.start()()
		_, err = w.Actions.Wait(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, forge.GrantSynced, w.settled(key))
		require.Equal(t, []string{"sync_ssh_key"}, did)

		require.NoError(t, w.Servers.Archive(t.Context(), srv.ID))
		revoke, err := w.Keys.Revoke(t.Context(), key.ID, forge.Selector{Servers: []string{srv.ID}}, nil)
		require.NoError(t, err)
		require.Equal(t, forge.ActionFinished, revoke.Status)
		require.Equal(t, forge.GrantRevoking, w.settled(key))
		gone, err := w.Keys.Delete(t.Context(), key.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ActionFailed, gone.Status)
		require.Contains(t, gone.Failure.Message, srv.Name+" (archived, where it is revoking)")

		require.NoError(t, w.Servers.Unarchive(t.Context(), srv.ID))
		require.Equal(t, forge.GrantRevoked, w.settled(key))
		require.Equal(t, []string{"sync_ssh_key", "revoke_ssh_key"}, did)
		gone, err = w.Keys.Delete(t.Context(), key.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ActionFinished, gone.Status)
	})
}

func TestDeleteRevokesEverywhere(t *testing.T) {
	withKey(t, 3, func(t *testing.T, r *ring) {
		require.NoError(t, r.wait(r.sync(0, 1, 2)))
		as, err := r.Keys.Sync(t.Context(), r.key.ID, forge.Selector{Servers: []string{r.servers[0].ID}, User: "deploy"})
		require.NoError(t, err)
		require.NoError(t, r.wait(as))

		r.refuse[r.servers[1].ID] = errors.New("no space is left")
		gate := make(chan struct{})
		r.gates[r.servers[0].ID] = gate
		gone := r.delete()
		require.Equal(t, gone.ID, r.delete().ID, "once")
		close(gate)
		require.ErrorIs(t, r.wait(gone), forge.ErrFailed)
		gone = r.get(gone.ID)
		require.Equal(t, []int{4, 0, 1}, []int{gone.Children, gone.ChildrenOpen, gone.ChildrenFailed})
		require.Equal(t, "1 of 4 servers failed: "+r.servers[1].Name+": error: no space is left", gone.Failure.Message)
		_, err = r.Keys.Get(t.Context(), r.key.ID)
		require.NoError(t, err, "the key stays")

		r.refuse = nil
		again, err := r.Keys.Retry(t.Context(), gone.ID)
		require.NoError(t, err)
		require.Equal(t, 1, again.Children)
		require.NoError(t, r.wait(again))
		_, err = r.Keys.Get(t.Context(), r.key.ID)
		require.ErrorIs(t, err, forge.ErrNotFound)
		for _, g := range r.all() {
			require.Equal(t, forge.GrantRevoked, g.Status)
			require.False(t, g.Wanted)
			require.NotEmpty(t, g.Public, "what a server had stays known")
		}
	})
}

func TestRetryOfWhatIsStillOpenOrDone(t *testing.T) {
	withKey(t, 2, func(t *testing.T, r *ring) {
		gate := make(chan struct{})
		r.gates[r.servers[0].ID] = gate
		r.refuse[r.servers[1].ID] = errors.New("refused")
		sync := r.sync(0, 1)
		_, err := r.Keys.Retry(t.Context(), sync.ID)
		require.ErrorIs(t, err, forge.ErrState, "it has not ended")
		close(gate)
		require.Error(t, r.wait(sync))

		r.refuse = nil
		require.NoError(t, r.wait(r.revoke(1)))
		_, err = r.Keys.Retry(t.Context(), sync.ID)
		require.ErrorIs(t, err, forge.ErrState, "what failed was changed since")
		_, err = r.Keys.Retry(t.Context(), "no-such-id")
		require.ErrorIs(t, err, forge.ErrNotFound)
		restart, err := r.Servers.RestartService(t.Context(), r.servers[0].ID, "nginx")
		require.NoError(t, err)
		_, err = r.Keys.Retry(t.Context(), restart.ID)
		require.ErrorIs(t, err, forge.ErrState, "it is not one over many servers")
	})
}

// settled is the state of the only grant of a key, once nothing is under way.
func (w *world) settled(key *forge.Key) forge.GrantStatus {
	for a, err := range w.Actions.All(w.t.Context(), forge.ActionFilter{Open: true}) {
		require.NoError(w.t, err)
		_, err = w.Actions.Wait(w.t.Context(), a.ID)
		require.NoError(w.t, err)
	}
	found, err := w.Keys.Grants(w.t.Context(), forge.GrantFilter{Key: key.ID}, forge.Page{})
	require.NoError(w.t, err)
	require.Len(w.t, found, 1)
	return found[0].Status
}

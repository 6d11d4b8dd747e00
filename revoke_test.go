package forge_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// What was asked for to happen with the sessions does not get lost until the server
// is back.
func TestSessionsEndWhereItWasPutOff(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		var did []forge.Kind
		for _, kind := range []forge.Kind{forge.KindSyncKey, forge.KindRevokeKey, forge.KindCutKey} {
			w.Stub(kind, func(_ context.Context, tw forge.TestWork) error {
				did = append(did, tw.Action().Kind)
				return nil
			})
		}
		defer w.start()()
		srv, made := w.create()
		_, err := w.Actions.Wait(t.Context(), made.ID)
		require.NoError(t, err)
		key := w.addKey(srv.Owner)
		named, all := forge.Selector{Servers: []string{srv.ID}}, forge.Selector{All: true}
		_, err = w.Keys.Sync(t.Context(), key.ID, named)
		require.NoError(t, err)
		require.Equal(t, forge.GrantSynced, w.settled(key))

		require.NoError(t, w.Servers.Archive(t.Context(), srv.ID))
		_, err = w.Keys.Revoke(t.Context(), key.ID, all, &forge.RevokeOpts{EndSessions: true})
		require.NoError(t, err)
		require.Equal(t, forge.GrantRevoking, w.settled(key))
		require.NoError(t, w.Servers.Unarchive(t.Context(), srv.ID))
		require.Equal(t, forge.GrantRevoked, w.settled(key))
		require.Equal(t, []forge.Kind{forge.KindSyncKey, forge.KindCutKey}, did)

		// Both may be asked for again, of who is revoked.
		for _, on := range []forge.Selector{named, all} {
			_, err = w.Keys.Revoke(t.Context(), key.ID, on, &forge.RevokeOpts{EndSessions: true})
			require.NoError(t, err)
			require.Equal(t, forge.GrantRevoked, w.settled(key))
			_, err = w.Keys.Revoke(t.Context(), key.ID, on, nil)
			require.NoError(t, err)
			require.Equal(t, forge.GrantRevoked, w.settled(key))
		}
		named.User = "forge"
		_, err = w.Keys.Revoke(t.Context(), key.ID, named, nil)
		require.NoError(t, err)
		require.Equal(t, forge.GrantRevoked, w.settled(key))
		require.Equal(t, []forge.Kind{forge.KindCutKey, forge.KindCutKey, forge.KindRevokeKey}, did[2:])

		require.NoError(t, w.Servers.Archive(t.Context(), srv.ID))
		again, err := w.Keys.Revoke(t.Context(), key.ID, named, nil)
		require.NoError(t, err)
		require.Equal(t, forge.ActionFinished, again.Status)
		require.Equal(t, forge.GrantRevoked, w.settled(key), "there is nothing to wait for")
	})
}

func TestRevokeFromEveryUser(t *testing.T) {
	withKey(t, 2, func(t *testing.T, r *ring) {
		all := forge.Selector{All: true}
		for _, user := range []string{"deploy", "ops"} {
			a, err := r.Keys.Sync(t.Context(), r.key.ID, forge.Selector{All: true, User: user})
			require.NoError(t, err)
			require.NoError(t, r.wait(a))
		}
		a, err := r.Keys.Revoke(t.Context(), r.key.ID, all, nil)
		require.NoError(t, err)
		require.NoError(t, r.wait(a))
		require.Equal(t, 4, a.Children)
		for _, g := range r.all() {
			require.Equal(t, forge.GrantRevoked, g.Status, g.User)
		}

		// What selects nothing says so.
		for said, on := range map[string]forge.Selector{
			"there is nothing to do: none of the 2 servers lets the key in": all,
			"there is nothing to do: no server was selected":                {Labels: map[string]string{"no": "such"}},
		} {
			a, err := r.Keys.Revoke(t.Context(), r.key.ID, on, nil)
			require.NoError(t, err)
			require.Equal(t, []string{said}, r.said(a))
		}
		a, err = r.Keys.Enforce(t.Context(), forge.Selector{Labels: map[string]string{"no": "such"}}, nil)
		require.NoError(t, err)
		require.Equal(t, []string{"there is nothing to do: no server was selected"}, r.said(a))
	})
}

func TestSyncOfWhatIsBeingDeleted(t *testing.T) {
	withKey(t, 2, func(t *testing.T, r *ring) {
		require.NoError(t, r.wait(r.sync(0)))
		r.gates[r.servers[0].ID] = make(chan struct{})
		gone := r.delete()
		_, err := r.Keys.Sync(t.Context(), r.key.ID, r.opts(1))
		require.ErrorIs(t, err, forge.ErrState)
		require.ErrorContains(t, err, "the key is being deleted by action "+gone.ID)
		close(r.gates[r.servers[0].ID])
		require.NoError(t, r.wait(gone))
	})
}

func TestRetryTakesUpAServerOnce(t *testing.T) {
	withKey(t, 2, func(t *testing.T, r *ring) {
		r.Stub(forge.KindEnforceServer, r.change)
		r.refuse[r.servers[1].ID] = errors.New("refused")
		enforce := func(user string) *forge.Action {
			a, err := r.Keys.Enforce(t.Context(), forge.Selector{All: true, User: user}, nil)
			require.NoError(t, err)
			_ = r.wait(a)
			return a
		}
		failed := enforce("deploy")
		r.refuse = nil
		enforce("ops") // is another
		again, err := r.Keys.Retry(t.Context(), failed.ID)
		require.NoError(t, err)
		require.Equal(t, 1, again.Children)
		require.NoError(t, r.wait(again))
		_, err = r.Keys.Retry(t.Context(), failed.ID)
		require.ErrorIs(t, err, forge.ErrState, "it was done since")
	})
}

func TestAnotherKeyOfAnIdempotencyKey(t *testing.T) {
	withKey(t, 0, func(t *testing.T, r *ring) {
		opts := forge.KeyOpts{Name: "laptop", Public: otherLine, IdempotencyKey: "once"}
		first, err := r.For("acme").Keys.Add(t.Context(), opts)
		require.NoError(t, err)
		again, err := r.For("acme").Keys.Add(t.Context(), opts)
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
		opts.Public = r.key.Public
		_, err = r.For("acme").Keys.Add(t.Context(), opts)
		require.ErrorIs(t, err, forge.ErrConflict)
		require.ErrorContains(t, err, `idempotency_key: was used for another key, "laptop" (`+first.ID+")")
	})
}

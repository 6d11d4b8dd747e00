package forge_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// Nothing can be asked for on an archived server, and its records can be read.
func TestArchivedServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := idle(t)
	srv := w.addServer("acme")
	site := w.addSite(srv, "example.com")
	failed := w.addSite(srv, "other.example.com", func(s *forge.Site) { s.Status = forge.SiteFailed })
	key := w.addKey("acme")
	w.put(func(tx forge.Tx) error {
		return tx.Grants().Insert(&forge.Grant{ID: newID(), Owner: "acme", Key: key.ID, Server: srv.ID, User: "forge", Status: forge.GrantSynced})
	})
	ctx, f := t.Context(), w.For("acme")
	require.NoError(t, f.Servers.Archive(ctx, srv.ID))
	before := w.contents()

	for name, ask := range map[string]func() error{
		"exec": func() error {
			_, err := f.Servers.Exec(ctx, srv.ID, forge.ExecOpts{Command: "id", User: "root"})
			return err
		},
		"run": func() error {
			_, err := f.Servers.Run(ctx, srv.ID, forge.RunOpts{Script: "id", User: "root"})
			return err
		},
		"restart": func() error { _, err := f.Servers.RestartService(ctx, srv.ID, "nginx"); return err },
		"reboot":  func() error { _, err := f.Servers.Reboot(ctx, srv.ID); return err },
		"retry":   func() error { _, err := f.Servers.Retry(ctx, srv.ID); return err },
		"create site": func() error {
			_, _, err := f.Sites.Create(ctx, srv.ID, forge.SiteOpts{Domain: "new.example.com"})
			return err
		},
		"connect site": func() error { _, err := f.Sites.Connect(ctx, failed.ID); return err },
		"delete site":  func() error { _, err := f.Sites.Delete(ctx, site.ID); return err },
		"deploy":       func() error { _, err := f.Deployments.Trigger(ctx, site.ID, nil); return err },
		"sync key": func() error {
			_, err := f.Keys.Sync(ctx, key.ID, forge.Selector{Servers: []string{srv.ID}})
			return err
		},
		"rotate": func() error {
			_, err := f.Keys.RotateControl(ctx, forge.Selector{Servers: []string{srv.ID}})
			return err
		},
	} {
		err := ask()
		require.ErrorIs(t, err, forge.ErrState, name)
		require.ErrorContains(t, err, "archived; unarchive it first", name)
	}
	require.ErrorIs(t, f.Servers.Archive(ctx, srv.ID), forge.ErrState)
	require.Equal(t, before, w.contents(), "nothing was written")

	_, err := f.Sites.Get(ctx, site.ID)
	require.NoError(t, err)
	require.ErrorIs(t, w.For("other").Servers.Unarchive(ctx, srv.ID), forge.ErrNotFound)
	require.NoError(t, f.Servers.Unarchive(ctx, srv.ID))
	require.ErrorIs(t, f.Servers.Unarchive(ctx, srv.ID), forge.ErrState)
	_, err = f.Deployments.Trigger(ctx, site.ID, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"archived", "active"}, w.statuses(forge.Subject{Kind: forge.SubjectServer, ID: srv.ID}))
}

// It comes back in the state in which it was archived, also from a deletion that
// nobody began.
func TestArchiveKeepsTheState(t *testing.T) {
	t.Parallel()
	w, ctx := idle(t), t.Context()
	for _, failure := range []string{"", "no space left"} {
		srv := w.addServer("acme", func(s *forge.Server) {
			if s.Failure = failure; failure != "" {
				s.Status = forge.ServerError
			}
		})
		deleteAndCancel := func(status forge.ServerStatus) {
			a, err := w.Servers.Delete(ctx, srv.ID, nil)
			require.NoError(t, err)
			require.ErrorIs(t, w.Servers.Archive(ctx, srv.ID), forge.ErrState)
			require.ErrorIs(t, w.Servers.Unarchive(ctx, srv.ID), forge.ErrState)
			require.NoError(t, w.Actions.Cancel(ctx, a.ID))
			require.Equal(t, status, w.read(srv.ID).Status)
		}
		deleteAndCancel(srv.Status)
		require.NoError(t, w.Servers.Archive(ctx, srv.ID))
		deleteAndCancel(forge.ServerArchived)
		require.NoError(t, w.Servers.Unarchive(ctx, srv.ID))
		require.Equal(t, srv.Status, w.read(srv.ID).Status)
		require.Equal(t, failure, w.read(srv.ID).Failure)
	}
	for _, status := range []forge.ServerStatus{forge.ServerPending, forge.ServerCreating, forge.ServerProvisioning, forge.ServerDeleted} {
		srv := w.addServer("acme", func(s *forge.Server) { s.Status = status })
		require.ErrorIs(t, w.Servers.Archive(ctx, srv.ID), forge.ErrState)
		require.Equal(t, status, w.read(srv.ID).Status)
	}
}

func TestArchiveWaitsForNothing(t *testing.T) {
	t.Parallel()
	w, ctx := idle(t), t.Context()
	srv := w.addServer("acme")
	site := w.addSite(srv, "example.com")
	d, err := w.Deployments.Trigger(ctx, site.ID, nil)
	require.NoError(t, err)
	err = w.Servers.Archive(ctx, srv.ID)
	require.ErrorIs(t, err, forge.ErrState)
	require.ErrorContains(t, err, "deploy_site is still pending")
	require.NoError(t, w.Deployments.Cancel(ctx, d.ID))
	require.NoError(t, w.Servers.Archive(ctx, srv.ID))
}

func TestArchivedServerIsDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		defer w.start()()
		srv, a := w.create()
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.NoError(t, w.Servers.Archive(t.Context(), srv.ID))
		a, err = w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
		require.Empty(t, w.cloud.Machines())
	})
}

// Archiving closes the connections that are kept to the server.
func TestArchiveClosesConnections(t *testing.T) {
	t.Parallel()
	m := newPlayed(t, nil)
	_, err := m.Servers.Run(t.Context(), m.server.ID, forge.RunOpts{Script: "true", User: "root"})
	require.NoError(t, err)
	require.Equal(t, 1, m.ssh.Accepted())
	require.NoError(t, m.Servers.Archive(t.Context(), m.server.ID))
	require.NoError(t, m.Servers.Unarchive(t.Context(), m.server.ID))
	_, err = m.Servers.Run(t.Context(), m.server.ID, forge.RunOpts{Script: "true", User: "root"})
	require.NoError(t, err)
	require.Equal(t, 2, m.ssh.Accepted())
}

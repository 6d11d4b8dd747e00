package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	again, action, err := e.For(owner).Servers.Create(t.Context(), forge.ServerOpts{
		Name: "shared", Provider: "local", Image: testmachine.Image(), IdempotencyKey: srv.IdempotencyKey,
	})
	e.finish(t, action, err)
	require.Equal(t, srv.ID, again.ID)
	require.EqualValues(t, 1, e.machines.made.Load())

	opts := forge.SiteOpts{Domain: newName() + ".example.org", Kind: forge.StaticSite, IdempotencyKey: newName()}
	first, firstAction, err := e.Sites.Create(t.Context(), srv.ID, opts)
	require.NoError(t, err)
	second, secondAction, err := e.Sites.Create(t.Context(), srv.ID, opts)
	e.finish(t, secondAction, err)
	require.Equal(t, first.ID, second.ID)
	require.Equal(t, firstAction.ID, secondAction.ID)
	opts.IdempotencyKey = ""
	_, _, err = e.Sites.Create(t.Context(), srv.ID, opts)
	require.ErrorIs(t, err, forge.ErrConflict)
}

func TestOwners(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	theirs := e.For("somebody-else")
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan []forge.Event, 1)
	go func() {
		var events []forge.Event
		for event, err := range theirs.Events(ctx, &forge.EventFilter{After: forge.Beginning}) {
			if err == nil {
				events = append(events, event)
			}
		}
		seen <- events
	}()
	s := newSite(t, e, srv, forge.SiteOpts{Kind: forge.StaticSite, DeployScript: "echo done"})
	require.Equal(t, owner, s.Owner)
	d := s.history(t)[0]
	require.Equal(t, owner, d.Owner)

	id := srv.ID
	refusals := map[string]func() error{
		"a server":        func() error { _, err := theirs.Servers.Get(t.Context(), id); return err },
		"its credentials": func() error { _, err := theirs.Servers.Credentials(t.Context(), id); return err },
		"its deletion":    func() error { _, err := theirs.Servers.Delete(t.Context(), id, nil); return err },
		"a script on it": func() error {
			_, err := theirs.Servers.Run(t.Context(), id, forge.RunOpts{User: "root", Script: "id"})
			return err
		},
		"a command on it": func() error {
			_, err := theirs.Servers.Exec(t.Context(), id, forge.ExecOpts{User: "root", Command: "id"})
			return err
		},
		"a service of it": func() error { _, err := theirs.Servers.RestartService(t.Context(), id, "nginx"); return err },
		"a site on it": func() error {
			_, _, err := theirs.Sites.Create(t.Context(), id, forge.SiteOpts{Domain: "x.example.org"})
			return err
		},
		"a site":               func() error { _, err := theirs.Sites.Get(t.Context(), s.ID); return err },
		"its removal":          func() error { _, err := theirs.Sites.Delete(t.Context(), s.ID); return err },
		"a trigger":            func() error { _, err := theirs.Deployments.Trigger(t.Context(), s.ID, nil); return err },
		"a deployment":         func() error { _, err := theirs.Deployments.Get(t.Context(), d.ID); return err },
		"its cancellation":     func() error { return theirs.Deployments.Cancel(t.Context(), d.ID) },
		"an action":            func() error { _, err := theirs.Actions.Wait(t.Context(), d.Action); return err },
		"the end of an action": func() error { return theirs.Actions.Cancel(t.Context(), d.Action) },
		"a log": func() error {
			for _, err := range theirs.Deployments.Follow(t.Context(), d.ID, 0) {
				return err
			}
			return nil
		},
	}
	for name, refused := range refusals {
		require.ErrorIs(t, refused(), forge.ErrNotFound, name)
	}
	for server, err := range theirs.Servers.All(t.Context(), forge.ServerFilter{Owner: owner}) {
		t.Errorf("sees %v %v", server, err)
	}
	for site, err := range theirs.Sites.All(t.Context(), forge.SiteFilter{Owner: owner}) {
		t.Errorf("sees %v %v", site, err)
	}
	for action, err := range theirs.Actions.All(t.Context(), forge.ActionFilter{Owner: owner}) {
		t.Errorf("sees %v %v", action, err)
	}
	for d, err := range theirs.Deployments.All(t.Context(), forge.DeploymentFilter{Owner: owner}) {
		t.Errorf("sees %v %v", d, err)
	}
	cancel()
	require.Empty(t, <-seen)
	mine, err := e.For(owner).Sites.Get(t.Context(), s.ID)
	require.NoError(t, err)
	require.Equal(t, s.Domain, mine.Domain)
}

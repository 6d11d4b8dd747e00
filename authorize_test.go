package forge_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/secret"
)

// guarded is a Forge beside that of a world, whose Authorize keeps what it is asked
// for and answers with err.
type guarded struct {
	*forge.Forge
	asked []forge.Access
	err   error
}

func guard(w *furnished, err error) *guarded {
	g := &guarded{err: err}
	f, newErr := forge.New(forge.Config{
		Store: w.store, Queue: w.queue, Sealer: w.sealer, Providers: map[string]provider.Provider{"cloud": w.cloud},
		Authorize: func(_ context.Context, a forge.Access) error { g.asked = append(g.asked, a); return g.err },
	})
	require.NoError(w.t, newErr)
	w.t.Cleanup(func() { require.NoError(w.t, f.Close()) })
	g.Forge = f.For("acme").As("ada")
	return g
}

// asking are all methods that Authorize is asked for, and what their subject is.
func asking() map[string]method {
	all := methods()
	nameless := func(call func(ctx context.Context, f *forge.Forge) error) method {
		return method{id: func(ctx context.Context, f *forge.Forge, _ *furnished, _ string) error { return call(ctx, f) }}
	}
	all["Servers.Create"] = nameless(func(ctx context.Context, f *forge.Forge) error {
		_, _, err := f.Servers.Create(ctx, forge.ServerOpts{Name: "web-1", Provider: "cloud"})
		return err
	})
	all["Servers.ValidateProvider"] = method{what: "provider",
		id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return second(f.Servers.ValidateProvider(ctx, id))
		}}
	all["Servers.Catalog"] = method{what: "provider",
		id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return second(f.Servers.Catalog(ctx, id))
		}}
	all["Servers.Reconcile"] = method{what: "provider",
		id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return second(f.Servers.Reconcile(ctx, id, nil))
		}}
	all["Keys.Add"] = nameless(func(ctx context.Context, f *forge.Forge) error {
		return second(f.Keys.Add(ctx, forge.KeyOpts{Name: "other", Public: otherLine}))
	})
	all["Keys.Import"] = nameless(func(ctx context.Context, f *forge.Forge) error {
		return second(f.Keys.Import(ctx, "https://127.0.0.1/ann.keys", forge.ImportOpts{Name: "ann"}))
	})
	all["Keys.ImportDocument"] = nameless(func(ctx context.Context, f *forge.Forge) error {
		return second(f.Keys.ImportDocument(ctx, []byte(otherLine), forge.ImportOpts{Name: "ann"}))
	})
	all["Forge.Purge"] = nameless(func(ctx context.Context, f *forge.Forge) error { return second(f.Purge(ctx)) })
	all["Forge.PurgeOwner"] = nameless(func(ctx context.Context, f *forge.Forge) error { return second(f.PurgeOwner(ctx, "acme")) })
	all["Forge.Reseal"] = nameless(func(ctx context.Context, f *forge.Forge) error { return second(f.Reseal(ctx)) })
	maps.DeleteFunc(all, func(name string, _ method) bool {
		return slices.Contains([]string{"Hooks.Handler", "Forge.CheckSealer", "Forge.Connections", "Forge.For", "Forge.As",
			"Forge.Run", "Forge.Close"}, name)
	})
	return all
}

// prepare is a world with something of each record.
func prepare(t *testing.T) (w *furnished, ids map[string]string) {
	w = furnish(t)
	d, err := w.As("ada").Deployments.Trigger(t.Context(), w.site.ID, nil)
	require.NoError(t, err)
	return w, map[string]string{"server": w.server.ID, "site": w.site.ID, "key": w.key.ID,
		"deployment": d.ID, "action": d.Action, "provider": "cloud"}
}

// try calls a method, for a while where it waits.
func try(t *testing.T, m method, f *forge.Forge, w *furnished, ids map[string]string) error {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if m.list != nil {
		return second(m.list(ctx, f, w))
	}
	return m.id(ctx, f, w, ids[m.what])
}

func requireAskedOnce(t *testing.T, g *guarded, name string, m method, ids map[string]string) {
	t.Helper()
	require.Len(t, g.asked, 1, name)
	asked := g.asked[0]
	g.asked = nil
	require.Equal(t, forge.Access{Owner: "acme", Actor: "ada", Method: name, Subjects: asked.Subjects}, asked)
	if m.what == "" {
		require.Empty(t, asked.Subjects, name)
		return
	}
	require.Equal(t, forge.Subject{Kind: forge.SubjectKind(m.what), ID: ids[m.what]}, asked.Subjects[0], name)
	if m.what == "key" && len(asked.Subjects) > 1 {
		require.Equal(t, []forge.Subject{{Kind: forge.SubjectServer, ID: ids["server"]}}, asked.Subjects[1:], name)
	}
}

func TestWhatIsDeniedIsNotDone(t *testing.T) {
	t.Parallel()
	w, ids := prepare(t)
	policy := errors.New("ada only watches")
	g := guard(w, policy)
	before := w.contents()
	for name, m := range asking() {
		require.True(t, m.id != nil || m.list != nil, "%s is not tried", name)
		err := try(t, m, g.Forge, w, ids)
		require.ErrorIs(t, err, forge.ErrDenied, name)
		require.ErrorIs(t, err, policy, name)
		requireAskedOnce(t, g, name, m, ids)
		require.Equal(t, before, w.contents(), name)
	}
	g.err = &forge.Error{Class: forge.ErrNotFound, Field: "server"}
	_, err := g.Servers.Get(t.Context(), w.server.ID)
	require.Equal(t, g.err, err, "an error of forge's kind is returned as it is")
}

// TestAllowedOnceForAllParts also looks who every action is said to be of.
func TestAllowedOnceForAllParts(t *testing.T) {
	t.Parallel()
	made := map[forge.Kind]bool{}
	for name, m := range asking() {
		w, ids := prepare(t)
		g := guard(w, nil)
		before := len(w.contents().Actions)
		err := try(t, m, g.Forge, w, ids)
		require.NotErrorIs(t, err, forge.ErrDenied, name)
		requireAskedOnce(t, g, name, m, ids)
		for _, a := range w.contents().Actions[before:] {
			made[a.Kind] = true
			require.Equal(t, "ada", a.Actor, "%s by %s", a.Kind, name)
			require.Equal(t, "acme", a.Owner, "%s by %s", a.Kind, name)
		}
	}
	require.Subset(t, slices.Collect(maps.Keys(made)), []forge.Kind{
		forge.KindCreateServer, forge.KindProvision, forge.KindDeleteServer, forge.KindReboot, forge.KindExec, forge.KindRestartService,
		forge.KindValidate, forge.KindUpdateSite, forge.KindDeleteSite, forge.KindSetEnvironment, forge.KindDeploy,
		forge.KindSyncKeys, forge.KindSyncKey, forge.KindSetupSite, forge.KindCreateSite, forge.KindRevokeKeys,
	})
}

// TestWebhooksAreNotAskedFor has a site's secret instead.
func TestWebhooksAreNotAskedFor(t *testing.T) {
	t.Parallel()
	w := idle(t)
	h := newHooked(t, w)
	f := &furnished{world: w}
	g := guard(f, errors.New("nobody may do anything"))
	h.handler = g.Hooks.Handler()
	require.Equal(t, 202, h.send(h.push(1)).status)
	require.Empty(t, g.asked)
	_, err := g.Sites.Environment(t.Context(), h.site.ID)
	require.ErrorIs(t, err, forge.ErrDenied)
	require.ErrorIs(t, g.Sites.SetToken(t.Context(), h.site.ID, secret.New("token")), forge.ErrDenied)
}

package forge_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/store/memory"
	"github.com/seed-797f2c2c/forge/store/postgres"
	"github.com/seed-797f2c2c/forge/store/sqlite"
)

// method is how a method of a service is tried on records that are not the
// caller's: either it takes an id, or it lists.
type method struct {
	what string // the record that the id is of
	id   func(ctx context.Context, f *forge.Forge, w *furnished, id string) error
	list func(ctx context.Context, f *forge.Forge, w *furnished) (found int, err error)
	// free says why neither is tried.
	free string
}

func methods() map[string]method {
	all := make(map[string]method)
	for _, some := range []map[string]method{serverMethods(), siteMethods(), keyMethods(), deploymentMethods(), actionMethods(), hookMethods(), forgeMethods()} {
		maps.Copy(all, some)
	}
	return all
}

func serverMethods() map[string]method {
	id := func(call func(context.Context, *forge.Servers, string) error) method {
		return method{what: "server", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return call(ctx, f.Servers, id)
		}}
	}
	return map[string]method{
		"Servers.Get":         id(func(ctx context.Context, s *forge.Servers, id string) error { return second(s.Get(ctx, id)) }),
		"Servers.Credentials": id(func(ctx context.Context, s *forge.Servers, id string) error { return second(s.Credentials(ctx, id)) }),
		"Servers.PinHostKey":  id(func(ctx context.Context, s *forge.Servers, id string) error { return s.PinHostKey(ctx, id, keyLine) }),
		"Servers.Retry":       id(func(ctx context.Context, s *forge.Servers, id string) error { return second(s.Retry(ctx, id)) }),
		"Servers.Delete":      id(func(ctx context.Context, s *forge.Servers, id string) error { return second(s.Delete(ctx, id, nil)) }),
		"Servers.Exec": id(func(ctx context.Context, s *forge.Servers, id string) error {
			return second(s.Exec(ctx, id, forge.ExecOpts{Command: "id", User: "root"}))
		}),
		"Servers.Run": id(func(ctx context.Context, s *forge.Servers, id string) error {
			return second(s.Run(ctx, id, forge.RunOpts{Script: "id", User: "root"}))
		}),
		"Servers.Upload": id(func(ctx context.Context, s *forge.Servers, id string) error {
			return s.Upload(ctx, id, sshexec.UploadSpec{Path: "/a", User: "root"})
		}),
		"Servers.AddPHP": id(func(ctx context.Context, s *forge.Servers, id string) error { return second(s.AddPHP(ctx, id, "8.2")) }),
		"Servers.RemovePHP": id(func(ctx context.Context, s *forge.Servers, id string) error {
			return second(s.RemovePHP(ctx, id, "8.2"))
		}),
		"Servers.Archive": id(func(ctx context.Context, s *forge.Servers, id string) error { return s.Archive(ctx, id) }),
		"Servers.Unarchive": id(func(ctx context.Context, s *forge.Servers, id string) error {
			return s.Unarchive(ctx, id)
		}),
		"Servers.Reboot": id(func(ctx context.Context, s *forge.Servers, id string) error { return second(s.Reboot(ctx, id)) }),
		"Servers.RestartService": id(func(ctx context.Context, s *forge.Servers, id string) error {
			return second(s.RestartService(ctx, id, "nginx"))
		}),
		"Servers.List": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			found, err := f.Servers.List(ctx, forge.ServerFilter{Owner: "acme", Name: w.server.Name}, forge.Page{})
			return len(found), err
		}},
		"Servers.All": {list: func(ctx context.Context, f *forge.Forge, _ *furnished) (int, error) {
			return count(f.Servers.All(ctx, forge.ServerFilter{Owner: "acme"}))
		}},
		"Servers.Create":           {free: "names no record"},
		"Servers.ValidateProvider": {free: "names no record"},
		"Servers.Catalog":          {free: "names no record"},
		"Servers.Reconcile":        {free: "is refused to every owner"},
	}
}

func siteMethods() map[string]method {
	id := func(call func(context.Context, *forge.Sites, string) error) method {
		return method{what: "site", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return call(ctx, f.Sites, id)
		}}
	}
	create := id(func(ctx context.Context, s *forge.Sites, id string) error {
		_, _, err := s.Create(ctx, id, forge.SiteOpts{Domain: "new.example.com"})
		return err
	})
	create.what = "server"
	return map[string]method{
		"Sites.Get":     id(func(ctx context.Context, s *forge.Sites, id string) error { return second(s.Get(ctx, id)) }),
		"Sites.Connect": id(func(ctx context.Context, s *forge.Sites, id string) error { return second(s.Connect(ctx, id)) }),
		"Sites.Delete":  id(func(ctx context.Context, s *forge.Sites, id string) error { return second(s.Delete(ctx, id)) }),
		"Sites.Create":  create,
		"Sites.Update": id(func(ctx context.Context, s *forge.Sites, id string) error {
			_, _, err := s.Update(ctx, id, forge.SiteUpdate{Branch: new("next")})
			return err
		}),
		"Sites.Environment": id(func(ctx context.Context, s *forge.Sites, id string) error {
			return second(s.Environment(ctx, id))
		}),
		"Sites.SetEnvironment": id(func(ctx context.Context, s *forge.Sites, id string) error {
			return second(s.SetEnvironment(ctx, id, nil))
		}),
		"Sites.List": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			found, err := f.Sites.List(ctx, forge.SiteFilter{Owner: "acme", Server: w.server.ID}, forge.Page{})
			return len(found), err
		}},
		"Sites.SetToken": id(func(ctx context.Context, s *forge.Sites, id string) error {
			return s.SetToken(ctx, id, secret.New("token"))
		}),
		"Sites.All": {list: func(ctx context.Context, f *forge.Forge, _ *furnished) (int, error) {
			return count(f.Sites.All(ctx, forge.SiteFilter{}))
		}},
	}
}

func keyMethods() map[string]method {
	id := func(call func(context.Context, *forge.Keys, string, *furnished) error) method {
		return method{what: "key", id: func(ctx context.Context, f *forge.Forge, w *furnished, id string) error {
			return call(ctx, f.Keys, id, w)
		}}
	}
	return map[string]method{
		"Keys.Get": id(func(ctx context.Context, s *forge.Keys, id string, _ *furnished) error { return second(s.Get(ctx, id)) }),
		"Keys.Delete": id(func(ctx context.Context, s *forge.Keys, id string, _ *furnished) error {
			return second(s.Delete(ctx, id))
		}),
		"Keys.Sync": id(func(ctx context.Context, s *forge.Keys, id string, w *furnished) error {
			return second(s.Sync(ctx, id, forge.Selector{Servers: []string{w.server.ID}}))
		}),
		"Keys.Revoke": id(func(ctx context.Context, s *forge.Keys, id string, w *furnished) error {
			return second(s.Revoke(ctx, id, forge.Selector{Servers: []string{w.server.ID}}, nil))
		}),
		"Keys.Retry": {what: "action", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return second(f.Keys.Retry(ctx, id))
		}},
		"Keys.Enforce": {what: "server", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return second(f.Keys.Enforce(ctx, forge.Selector{Servers: []string{id}}, nil))
		}},
		"Keys.RotateControl": {what: "server", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return second(f.Keys.RotateControl(ctx, forge.Selector{Servers: []string{id}}))
		}},
		"Keys.Drift": {what: "server", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			for _, err := range f.Keys.Drift(ctx, forge.Selector{Servers: []string{id}}) {
				return err
			}
			return nil
		}},
		"Keys.List": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			found, err := f.Keys.List(ctx, forge.KeyFilter{Owner: "acme", Fingerprint: w.key.Fingerprint}, forge.Page{})
			return len(found), err
		}},
		"Keys.All": {list: func(ctx context.Context, f *forge.Forge, _ *furnished) (int, error) {
			return count(f.Keys.All(ctx, forge.KeyFilter{}))
		}},
		"Keys.Grants": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			found, err := f.Keys.Grants(ctx, forge.GrantFilter{Owner: "acme", Server: w.server.ID}, forge.Page{})
			return len(found), err
		}},
		"Keys.AllGrants": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			return count(f.Keys.AllGrants(ctx, forge.GrantFilter{Server: w.server.ID}))
		}},
		"Keys.Add":            {free: "names no record"},
		"Keys.Import":         {free: "names no record"},
		"Keys.ImportDocument": {free: "names no record; another owner's keys are no reason not to add: TestImportStaysWithinAnOwner"},
	}
}

func deploymentMethods() map[string]method {
	id := func(call func(context.Context, *forge.Deployments, string) error) method {
		return method{what: "deployment", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return call(ctx, f.Deployments, id)
		}}
	}
	trigger := id(func(ctx context.Context, s *forge.Deployments, id string) error {
		return second(s.Trigger(ctx, id, nil))
	})
	trigger.what = "site"
	return map[string]method{
		"Deployments.Get":    id(func(ctx context.Context, s *forge.Deployments, id string) error { return second(s.Get(ctx, id)) }),
		"Deployments.Cancel": id(func(ctx context.Context, s *forge.Deployments, id string) error { return s.Cancel(ctx, id) }),
		"Deployments.Wait":   id(func(ctx context.Context, s *forge.Deployments, id string) error { return second(s.Wait(ctx, id)) }),
		"Deployments.Follow": id(func(ctx context.Context, s *forge.Deployments, id string) error {
			return second(count(s.Follow(ctx, id, 0)))
		}),
		"Deployments.Trigger": trigger,
		"Deployments.List": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			found, err := f.Deployments.List(ctx, forge.DeploymentFilter{Owner: "acme", Site: w.site.ID}, forge.Page{})
			return len(found), err
		}},
		"Deployments.All": {list: func(ctx context.Context, f *forge.Forge, _ *furnished) (int, error) {
			return count(f.Deployments.All(ctx, forge.DeploymentFilter{}))
		}},
	}
}

func actionMethods() map[string]method {
	id := func(call func(context.Context, *forge.Actions, string) error) method {
		return method{what: "action", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return call(ctx, f.Actions, id)
		}}
	}
	return map[string]method{
		"Actions.Get":    id(func(ctx context.Context, s *forge.Actions, id string) error { return second(s.Get(ctx, id)) }),
		"Actions.Cancel": id(func(ctx context.Context, s *forge.Actions, id string) error { return s.Cancel(ctx, id) }),
		"Actions.Wait":   id(func(ctx context.Context, s *forge.Actions, id string) error { return second(s.Wait(ctx, id)) }),
		"Actions.Log": id(func(ctx context.Context, s *forge.Actions, id string) error {
			return second(count(s.Log(ctx, id, 0, 0)))
		}),
		"Actions.Download": id(func(ctx context.Context, s *forge.Actions, id string) error {
			return second(s.Download(ctx, id, io.Discard))
		}),
		"Actions.Follow": id(func(ctx context.Context, s *forge.Actions, id string) error {
			return second(count(s.Follow(ctx, id, 0)))
		}),
		"Actions.List": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			found, err := f.Actions.List(ctx, forge.ActionFilter{Owner: "acme", Server: w.server.ID}, forge.Page{})
			return len(found), err
		}},
		"Actions.All": {list: func(ctx context.Context, f *forge.Forge, _ *furnished) (int, error) {
			return count(f.Actions.All(ctx, forge.ActionFilter{}))
		}},
	}
}

func hookMethods() map[string]method {
	id := func(call func(context.Context, *forge.Hooks, string) error) method {
		return method{what: "site", id: func(ctx context.Context, f *forge.Forge, _ *furnished, id string) error {
			return call(ctx, f.Hooks, id)
		}}
	}
	return map[string]method{
		"Hooks.Secret": id(func(ctx context.Context, s *forge.Hooks, id string) error {
			return second(s.Secret(ctx, id, forge.Webhook))
		}),
		"Hooks.Rotate": id(func(ctx context.Context, s *forge.Hooks, id string) error {
			return second(s.Rotate(ctx, id, forge.Webhook, 0))
		}),
		"Hooks.Deliveries": {list: func(ctx context.Context, f *forge.Forge, w *furnished) (int, error) {
			found, err := f.Hooks.Deliveries(ctx, forge.DeliveryFilter{Owner: "acme", Site: w.site.ID}, forge.Page{})
			return len(found), err
		}},
		"Hooks.AllDeliveries": {list: func(ctx context.Context, f *forge.Forge, _ *furnished) (int, error) {
			return count(f.Hooks.AllDeliveries(ctx, forge.DeliveryFilter{}))
		}},
		"Hooks.Handler": {free: "asks for a site's secret before it says whether there is one: TestHooksOfAnOwner"},
	}
}

func forgeMethods() map[string]method {
	return map[string]method{
		"Forge.Events": {list: func(ctx context.Context, f *forge.Forge, _ *furnished) (int, error) {
			ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			for _, err := range f.Events(ctx, &forge.EventFilter{After: forge.Beginning}) {
				if errors.Is(err, context.DeadlineExceeded) {
					break
				}
				return 1, err
			}
			return 0, nil
		}},
		"Forge.PurgeOwner":  {free: "takes an owner, and refuses another one: TestPurgeOwner"},
		"Forge.Purge":       {free: "names no record; an owner's own are removed alone"},
		"Forge.Reseal":      {free: "names no record; an owner's own are sealed alone"},
		"Forge.CheckSealer": {free: "says nothing of records"},
		"Forge.Connections": {free: "says nothing of records"},
		"Forge.For":         {free: "is what an embedder keeps to itself"},
		"Forge.As":          {free: "stays with the owner"},
		"Forge.Run":         {free: "works for all owners"},
		"Forge.Close":       {free: "is for the process"},
	}
}

// ofTests are the methods of Forge that only its tests have.
var ofTests = []string{"Forge.SetHandler", "Forge.Stub", "Forge.Wrap", "Forge.Insert", "Forge.SetVersion", "Forge.Forget"}

func second[T any](_ T, err error) error { return err }

// count walks a sequence to its first error.
func count[T any](seq iter.Seq2[T, error]) (n int, err error) {
	for _, err = range seq {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func TestNoMethodIsForgotten(t *testing.T) {
	t.Parallel()
	var exported []string
	for _, service := range []any{
		&forge.Servers{}, &forge.Sites{}, &forge.Keys{}, &forge.Deployments{}, &forge.Actions{}, &forge.Hooks{}, &forge.Forge{},
	} {
		of := reflect.TypeOf(service)
		for i := range of.NumMethod() {
			if name := of.Elem().Name() + "." + of.Method(i).Name; !slices.Contains(ofTests, name) {
				exported = append(exported, name)
			}
		}
	}
	require.ElementsMatch(t, exported, slices.Collect(maps.Keys(methods())))
	for name, m := range methods() {
		require.True(t, m.id != nil || m.list != nil || m.free != "", name)
	}
}

// everyStore runs a test on each of the stores.
func everyStore(t *testing.T, test func(t *testing.T, store forge.Store)) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) forge.Store{
		"memory": func(*testing.T) forge.Store { return memory.New(memory.Config{}) },
		"sqlite": func(t *testing.T) forge.Store {
			store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "forge.db"))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			return store
		},
		"postgres": func(t *testing.T) forge.Store {
			url, schema := pgtest.Schema(t)
			store, err := postgres.New(postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			require.NoError(t, store.Migrate(t.Context()))
			return store
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func TestOthersRecordsAreNotThere(t *testing.T) {
	everyStore(t, func(t *testing.T, store forge.Store) {
		w := furnishOn(t, store)
		d, err := w.Deployments.Trigger(t.Context(), w.site.ID, nil)
		require.NoError(t, err)
		w.put(func(tx forge.Tx) error {
			return tx.Deliveries().Insert(&forge.Delivery{ID: newID(), Owner: "acme", Site: w.site.ID, Key: "1", Digest: "1"})
		})
		ids := map[string]string{
			"server": w.server.ID, "site": w.site.ID, "key": w.key.ID, "deployment": d.ID, "action": d.Action,
		}
		before := w.contents()
		for name, m := range methods() {
			if m.id != nil {
				err := m.id(t.Context(), w.For("other"), w, ids[m.what])
				require.ErrorIs(t, err, forge.ErrNotFound, name)
				require.Equal(t, m.id(t.Context(), w.For("other"), w, "x").Error(),
					strings.ReplaceAll(err.Error(), ids[m.what], "x"), "%s tells that there is something", name)
			}
			if m.list != nil {
				n, err := m.list(t.Context(), w.For("acme"), w)
				require.NoError(t, err, name)
				require.Positive(t, n, "%s finds the owner's own", name)
				n, err = m.list(t.Context(), w.For("other"), w)
				require.NoError(t, err, name)
				require.Zero(t, n, name)
			}
			require.Equal(t, before, w.contents(), name)
		}
	})
}

func TestOthersEventsAreNotSeen(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		_, _, err := w.For("acme").Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "cloud"})
		require.NoError(t, err)
		for f, wants := range map[*forge.Forge]bool{w.Forge: true, w.For("acme"): true, w.For("other"): false, w.For(""): false} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			n, err := count(f.Events(ctx, &forge.EventFilter{After: forge.Beginning}))
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, wants, n > 0)
		}
	})
}

// An owner that comes out empty by mistake is not everybody.
func TestEmptyOwnerSeesAndMakesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		mine, _, err := w.Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "cloud"})
		require.NoError(t, err)
		nobody := w.For("")
		_, err = nobody.Servers.Get(t.Context(), mine.ID)
		require.ErrorIs(t, err, forge.ErrNotFound)
		found, err := nobody.Servers.List(t.Context(), forge.ServerFilter{}, forge.Page{})
		require.NoError(t, err)
		require.Empty(t, found)
		_, _, err = nobody.Servers.Create(t.Context(), forge.ServerOpts{Name: "web-2", Provider: "cloud"})
		require.ErrorIs(t, err, forge.ErrInvalid)
		_, err = nobody.Keys.Add(t.Context(), forge.KeyOpts{Name: "laptop", Public: keyLine})
		require.ErrorIs(t, err, forge.ErrInvalid)
	})
}

func TestIdempotencyStaysWithinAnOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		opts := forge.ServerOpts{Name: "web-1", Provider: "cloud", IdempotencyKey: "order-1"}
		hers, _, err := w.For("alice").Servers.Create(t.Context(), opts)
		require.NoError(t, err)
		nobodys, _, err := w.Servers.Create(t.Context(), opts)
		require.NoError(t, err)
		require.NotEqual(t, hers.ID, nobodys.ID)
		again, _, err := w.Servers.Create(t.Context(), opts)
		require.NoError(t, err)
		require.Equal(t, nobodys.ID, again.ID)
	})
}

// A key and a server of two owners are not brought together, unless by the
// Forge that sees both.
func TestSyncStaysWithinAnOwner(t *testing.T) {
	t.Parallel()
	w := furnish(t)
	foreign := w.addServer("other")
	before := w.contents()
	_, err := w.For("acme").Keys.Sync(t.Context(), w.key.ID, forge.Selector{Servers: []string{foreign.ID}})
	require.ErrorIs(t, err, forge.ErrNotFound)
	require.Equal(t, before, w.contents())
}

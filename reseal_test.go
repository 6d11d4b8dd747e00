package forge_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

// rotation is a store whose values an old key sealed, and a process with a new one.
type rotation struct {
	*world
	said     *logged
	before   *world       // the process from before
	old, now string       // keys
	keys     *tink.Keyset // with both
	alone    *tink.Keyset // with the new one alone
}

func newRotation(t *testing.T, w *world) *rotation {
	first := newKeys(t)
	r := &rotation{old: first.Keys()[0]}
	r.before, _ = w.sealedWith(first)
	var err error
	r.keys, err = first.Rotate()
	require.NoError(t, err)
	r.now = r.keys.Keys()[0]
	r.alone, err = r.keys.Disable(r.old)
	require.NoError(t, err)
	r.world, r.said = w.sealedWith(r.keys)
	return r
}

// values are all sealed values of the records, by their places.
func (r *rotation) values(c contents) map[string]secret.Sealed {
	all := map[string]secret.Sealed{}
	put := func(place string, values ...secret.Sealed) {
		for i, v := range values {
			if len(v) > 0 {
				all[fmt.Sprintf("%s#%d", place, i)] = v
			}
		}
	}
	for _, s := range c.Servers {
		put("servers/"+s.ID+"/control_key", s.ControlKey)
		put("servers/"+s.ID+"/host_key", s.InjectedHostKey)
		put("servers/"+s.ID+"/database_password", s.DatabasePassword)
		put("servers/"+s.ID+"/redis_password", s.RedisPassword)
	}
	for _, s := range c.Sites {
		put("sites/"+s.ID+"/webhook", s.Webhook.Current, s.Webhook.Previous)
		put("sites/"+s.ID+"/deploy_url", s.DeployURL.Current, s.DeployURL.Previous)
		put("sites/"+s.ID+"/repository_token", s.RepositoryToken)
		put("sites/"+s.ID+"/environment", s.Environment, s.EnvironmentNext)
	}
	for _, a := range c.Actions {
		put("actions/"+a.ID+"/secrets", a.Secrets)
		input := map[forge.Kind]string{forge.KindSetEnvironment: "environment", forge.KindUpdateSite: "repository_token"}[a.Kind]
		put("sites/"+a.Subject.ID+"/"+input, nil, nil, a.Input.Sealed)
	}
	return all
}

// open opens all values with some keys.
func (r *rotation) open(with secret.Sealer, values map[string]secret.Sealed) map[string]string {
	r.t.Helper()
	opened := map[string]string{}
	for at, v := range values {
		s, err := with.Open(r.t.Context(), v, at[:len(at)-2])
		require.NoError(r.t, err)
		opened[at] = s.Reveal()
	}
	return opened
}

func (r *rotation) reseal() forge.ResealReport {
	r.t.Helper()
	report, err := r.Reseal(r.t.Context())
	require.NoError(r.t, err)
	return report
}

// fill makes records of every kind, with all that is ever sealed.
func (r *rotation) fill() {
	t, w := r.t, r.before
	srv := w.addServer("", func(s *forge.Server) {
		for place, at := range map[string]*secret.Sealed{"control_key": &s.ControlKey, "host_key": &s.InjectedHostKey,
			"database_password": &s.DatabasePassword, "redis_password": &s.RedisPassword} {
			*at = w.seal("the "+place, "servers/"+s.ID+"/"+place)
		}
	})
	for range 120 { // more than a page of them
		w.withKey("")
	}
	site := w.addSite(srv, "a.example.com", func(s *forge.Site) {
		for i, at := range []*secret.Sealed{&s.Environment, &s.EnvironmentNext} {
			*at = w.seal(fmt.Sprintf(`[{"Name":"A","Value":"value-%d"}]`, i), "sites/"+s.ID+"/environment")
		}
	})
	require.NoError(t, w.Sites.SetToken(t.Context(), site.ID, secret.New("token")))
	for range 2 { // the second one leaves a previous one
		for _, hook := range []forge.Hook{forge.Webhook, forge.DeployURL} {
			_, err := w.Hooks.Rotate(t.Context(), site.ID, hook, time.Hour)
			require.NoError(t, err)
		}
	}
	_, err := w.Sites.SetEnvironment(t.Context(), site.ID, []forge.EnvVar{{Name: "B", Value: secret.New("next")}})
	require.NoError(t, err)
	moved := w.addSite(srv, "b.example.com", func(s *forge.Site) {
		s.RepositoryToken = w.seal("token of old", "sites/"+s.ID+"/repository_token")
	})
	elsewhere := "https://elsewhere.example.com/app.git"
	_, _, err = w.Sites.Update(t.Context(), moved.ID, forge.SiteUpdate{Repository: &elsewhere})
	require.NoError(t, err)
	run := w.insert()
	w.put(func(tx forge.Tx) error {
		a, err := tx.Actions().Get(run.ID)
		require.NoError(t, err)
		a.Secrets = w.seal(`["c2VjcmV0"]`, "actions/"+a.ID+"/secrets")
		return tx.Actions().Update(a)
	})
}

func TestResealSealsEverythingAnew(t *testing.T) {
	t.Parallel()
	r := newRotation(t, idle(t))
	r.fill()
	before := r.contents()
	was := r.values(before)
	require.Len(t, was, 4+120*2+2+1+4+1+1+1, "as many as there can be")
	plain := r.open(r.keys, was)

	report := r.reseal()
	require.Equal(t, forge.ResealReport{Resealed: len(was), Values: map[string]int{r.now: len(was)}, Unused: []string{r.old}}, report)
	after := r.contents()
	require.Equal(t, plain, r.open(r.alone, r.values(after)), "all opens without the old key")

	require.Equal(t, before.LastEvent, after.LastEvent, "nothing happened that anybody would see")
	require.Equal(t, before.Jobs, after.Jobs)
	for i := range after.Servers {
		require.Equal(t, before.Servers[i].Updated, after.Servers[i].Updated)
	}
	again := r.reseal()
	require.Equal(t, forge.ResealReport{Values: report.Values, Unused: report.Unused}, again)
	require.Equal(t, after, r.contents(), "what is sealed with the new key stays")

	with, _ := r.sealedWith(r.alone)
	require.NoError(t, with.CheckSealer(t.Context()))
	report, err := with.Reseal(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Unused)
}

// What was changed while it was sealed anew keeps the change, in that value alone.
func TestResealOverwritesNothing(t *testing.T) {
	t.Parallel()
	w := idle(t)
	store := &again{Store: w.store}
	r := newRotation(t, w.join(store, w.queue))
	changed, gone := r.before.withKey(""), r.before.withKey("")
	other := r.before.seal("changed", "servers/"+changed.ID+"/database_password") // by one with the old key
	store.between = func(tx forge.Tx) error {
		changed.DatabasePassword = other
		require.NoError(t, tx.Servers().Update(changed))
		return tx.Servers().Delete(gone.ID)
	}
	report := r.reseal()
	require.Equal(t, forge.ResealReport{Resealed: 1, Values: map[string]int{r.now: 1, r.old: 1}}, report)
	opened := r.open(r.keys, r.values(r.contents()))
	require.Equal(t, map[string]string{
		"servers/" + changed.ID + "/control_key#0":       "control-key-of-" + changed.ID,
		"servers/" + changed.ID + "/database_password#0": "changed",
	}, opened)
	require.Equal(t, []string{r.old}, r.reseal().Unused)
}

// Many seal anew at once, while the values change.
func TestResealBesideChanges(t *testing.T) {
	t.Parallel()
	r := newRotation(t, idle(t))
	srv := r.before.withKey("")
	want := map[string]string{}
	var group errgroup.Group
	for i := range 10 {
		site := r.before.addSite(srv, fmt.Sprintf("s%d.example.com", i), func(s *forge.Site) {
			s.RepositoryToken = r.before.seal("first", "sites/"+s.ID+"/repository_token")
			s.Webhook.Current = r.before.seal("hook", "sites/"+s.ID+"/webhook")
		})
		want["sites/"+site.ID+"/webhook#0"] = "hook"
		want["sites/"+site.ID+"/repository_token#0"] = "token-19"
		group.Go(func() error {
			for n := range 20 {
				f := []*forge.Forge{r.Forge, r.before.Forge}[n%2]
				if err := f.Sites.SetToken(t.Context(), site.ID, secret.New(fmt.Sprint("token-", n))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for range 4 {
		group.Go(func() error {
			for range 10 {
				if _, err := r.Reseal(t.Context()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, []string{r.old}, r.reseal().Unused)
	opened := r.open(r.alone, r.values(r.contents()))
	maps.DeleteFunc(opened, func(at, _ string) bool { return at[:8] == "servers/" })
	require.Equal(t, want, opened)
}

// The secrets of an action are in the hands of its worker, who writes them to the
// site: the key is in use until then.
func TestResealLeavesWhatIsWorkedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		r := newRotation(t, newWorld(t, store, q, providertest.FakeConfig{}))
		site := r.before.addSite(r.before.addServer(""), "a.example.com")
		taken, wait, again, finish := make(chan secret.Sealed), make(chan struct{}), make(chan secret.Sealed), make(chan struct{})
		tries := 0
		r.Stub(forge.KindSetEnvironment, func(_ context.Context, work forge.TestWork) error {
			if tries++; tries == 1 {
				taken <- work.Action().Input.Sealed
				<-wait
				return work.Wait(10 * time.Second)
			}
			again <- work.Action().Input.Sealed
			<-finish
			return nil
		})
		stop := r.start()
		synctest.Wait() // for the pass at the start
		a, err := r.before.Sites.SetEnvironment(t.Context(), site.ID, []forge.EnvVar{{Name: "A", Value: secret.New("value")}})
		require.NoError(t, err)
		held := <-taken
		require.Equal(t, r.old, r.keys.KeyOf(held))
		require.Equal(t, forge.ResealReport{Values: map[string]int{r.old: 1}}, r.reseal())
		require.Equal(t, held, r.get(a.ID).Input.Sealed)
		close(wait)
		time.Sleep(time.Second) // it waits, in nobody's hands
		require.Equal(t, forge.ResealReport{Resealed: 1, Values: map[string]int{r.now: 1}, Unused: []string{r.old}}, r.reseal())
		sealed := <-again
		require.Equal(t, r.now, r.keys.KeyOf(sealed))
		opened, err := r.alone.Open(t.Context(), sealed, "sites/"+site.ID+"/environment")
		require.NoError(t, err)
		require.JSONEq(t, `[{"Name":"A","Value":"value","Plain":false}]`, opened.Reveal())
		close(finish)
		_, err = r.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		stop()
		require.Equal(t, forge.ResealReport{Values: map[string]int{}, Unused: []string{r.old}}, r.reseal(),
			"what has ended has no secrets")
	})
}

// Processes that work do it by themselves, and say what an operator waits for.
func TestRunSealsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		r := newRotation(t, newWorld(t, store, q, providertest.FakeConfig{}))
		srv := r.before.withKey("")
		defer r.start()()
		time.Sleep(time.Second)
		unused := "level=INFO msg=\"a key is no longer used, and can be disabled once no process seals with it\" key=" + r.old + "\n"
		require.Equal(t, "level=INFO msg=\"what older keys sealed is sealed anew\" values=2 key="+r.now+"\n"+unused, r.said.take())

		// Somebody who knows the old key alone still seals, and somebody a key of his own.
		srv.ControlKey = r.before.seal("anew", "servers/"+srv.ID+"/control_key")
		foreign := newKeys(t)
		var err error
		srv.DatabasePassword, err = foreign.Seal(t.Context(), secret.New("lost"), "servers/"+srv.ID+"/database_password")
		require.NoError(t, err)
		r.put(func(tx forge.Tx) error { return tx.Servers().Update(srv) })
		time.Sleep(24 * time.Hour)
		said := r.said.take()
		require.Contains(t, said, "level=INFO msg=\"what older keys sealed is sealed anew\" values=1 key="+r.now+"\n"+unused)
		require.Contains(t, said, "level=WARN msg=\"a sealed value does not open and stays as it is\"")
		require.Contains(t, said, "level=WARN msg=\"values do not open, as the sealer does not have their key\" key="+foreign.Keys()[0]+" values=1\n")
	})
}

// watchedStore counts how often it is looked at.
type watchedStore struct {
	forge.Store
	views atomic.Int32
}

func (s *watchedStore) View(ctx context.Context, fn func(forge.Tx) error) error {
	s.views.Add(1)
	return s.Store.View(ctx, fn)
}

// With one key alone there is nothing that could be sealed anew, however much there is.
func TestResealWithOneKeyCountsAlone(t *testing.T) {
	t.Parallel()
	r := newRotation(t, idle(t))
	for range 3 {
		r.before.withKey("")
	}
	store := &watchedStore{Store: r.store}
	f, err := forge.New(forge.Config{Store: store, Sealer: r.alone})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	report, err := f.Reseal(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Resealed)
	require.Equal(t, []string{r.old}, slices.Collect(maps.Keys(report.Values)), "which does not open any more")
	require.EqualValues(t, 1, store.views.Load())
}

func TestResealOfAnOwner(t *testing.T) {
	t.Parallel()
	r := newRotation(t, idle(t))
	r.before.withKey("alice")
	r.before.withKey("bob")
	report, err := r.For("alice").Reseal(t.Context())
	require.NoError(t, err)
	require.Equal(t, forge.ResealReport{Resealed: 2, Values: map[string]int{r.now: 2}}, report, "of bob's it says nothing")
	report, err = r.For("").Reseal(t.Context())
	require.NoError(t, err)
	require.Zero(t, report)
	require.Equal(t, 2, r.reseal().Resealed)

	_, err = idle(t).Reseal(t.Context())
	require.ErrorIs(t, err, forge.ErrState)
	require.ErrorContains(t, err, "it is no secret.Rotator")
}

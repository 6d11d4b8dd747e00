package forge_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

// fleet is a cloud with machines of each kind that Reconcile tells.
type fleet struct {
	*world
	ids  map[string]string // of servers
	made map[string]string // their ids at the provider
}

func newFleet(t *testing.T) *fleet {
	w := idle(t)
	labels := &relabelled{w.cloud, map[string]string{}}
	w.machines = labels
	f := &fleet{world: w.join(w.store, w.queue), ids: map[string]string{}, made: map[string]string{}}
	add := func(name string, status forge.ServerStatus, made, learnt bool) {
		srv := f.addServer("acme", func(s *forge.Server) {
			s.Status = status
			if made {
				f.make(name, s.ID)
			}
			if learnt {
				s.ProviderID = f.made[name]
			}
		})
		f.ids[name] = srv.ID
	}
	double := func(name, of string) {
		f.make(name, newID())
		labels.spec[f.made[name]] = f.ids[of]
	}
	add("sound", forge.ServerActive, true, true)
	add("pending", forge.ServerPending, false, false)
	add("deleting", forge.ServerDeleting, true, true)
	add("deleted", forge.ServerDeleted, true, false)
	add("lost", forge.ServerError, true, false)
	add("on its way", forge.ServerCreating, true, false)
	add("twice", forge.ServerActive, true, true)
	double("second", "twice")
	add("gone", forge.ServerActive, true, true)
	add("replaced", forge.ServerActive, true, true)
	double("replacement", "replaced")
	for _, name := range []string{"gone", "replaced"} {
		require.NoError(t, f.cloud.Delete(t.Context(), f.made[name]))
	}
	f.make("stranger", newID())
	return f
}

func (f *fleet) make(name, spec string) {
	m, err := f.cloud.Create(f.t.Context(), provider.Spec{ID: spec, Name: "web-1"})
	require.NoError(f.t, err)
	f.made[name] = m.ID
}

// relabelled is a cloud where some machines bear the label of another server.
type relabelled struct {
	*providertest.Fake
	spec map[string]string // by machine
}

func (r *relabelled) List(ctx context.Context) ([]*provider.Machine, error) {
	all, err := r.Fake.List(ctx)
	for _, m := range all {
		if spec, ok := r.spec[m.ID]; ok {
			m.SpecID = spec
		}
	}
	return all, err
}

func (f *fleet) requireMachines(want []string, got []*provider.Machine) {
	f.t.Helper()
	var ids, names []string
	for _, name := range want {
		names = append(names, f.made[name])
	}
	for _, m := range got {
		ids = append(ids, m.ID)
	}
	require.ElementsMatch(f.t, names, ids)
}

func TestReconcileReports(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	before := f.contents()
	r, err := f.Servers.Reconcile(t.Context(), "cloud", nil)
	require.NoError(t, err)
	f.requireMachines([]string{"deleted", "stranger"}, r.Orphans)
	f.requireMachines([]string{"lost", "on its way"}, r.Lost)
	f.requireMachines([]string{"second", "replacement"}, r.Doubles)
	var missing []string
	for _, srv := range r.Missing {
		missing = append(missing, srv.ID)
	}
	require.ElementsMatch(t, []string{f.ids["gone"], f.ids["replaced"]}, missing)
	require.Empty(t, r.Adopted)
	require.Empty(t, r.Deleted)
	after := f.contents()
	before.Calls, after.Calls = nil, nil
	require.Equal(t, before, after, "nothing is changed unless asked for")
	require.Len(t, f.cloud.Machines(), 9)
}

func TestReconcileAdoptsAndDeletes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	r, err := f.Servers.Reconcile(t.Context(), "cloud", &forge.ReconcileOpts{Adopt: true, Delete: true})
	require.NoError(t, err)
	require.Equal(t, []string{f.made["lost"]}, r.Adopted, "one that is being made is not disturbed")
	require.Equal(t, f.made["lost"], f.read(f.ids["lost"]).ProviderID)
	require.Empty(t, f.read(f.ids["on its way"]).ProviderID)
	require.ElementsMatch(t, []string{f.made["deleted"], f.made["stranger"], f.made["second"]}, r.Deleted)
	f.requireMachines([]string{"sound", "deleting", "lost", "on its way", "twice", "replacement"}, f.cloud.Machines())

	r, err = f.Servers.Reconcile(t.Context(), "cloud", &forge.ReconcileOpts{Adopt: true, Delete: true})
	require.NoError(t, err)
	require.Empty(t, r.Adopted)
	require.Empty(t, r.Deleted)
}

func TestReconcileGoesOnPastAMachineThatStays(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.cloud.Inject(providertest.OpDelete, providertest.Fault{Err: provider.ErrUnavailable})
	r, err := f.Servers.Reconcile(t.Context(), "cloud", &forge.ReconcileOpts{Delete: true})
	require.ErrorIs(t, err, forge.ErrUnavailable)
	require.Len(t, r.Deleted, 2)
}

func TestReconcileDoesNotTrustAListAlone(t *testing.T) {
	t.Parallel()
	w := idle(t)
	m, err := w.cloud.Create(t.Context(), provider.Spec{ID: "s1", Name: "web-1"})
	require.NoError(t, err)
	w.machines = hidden{w.cloud}
	w = w.join(w.store, w.queue)
	w.addServer("acme", func(s *forge.Server) { s.ID, s.ProviderID = "s1", m.ID })
	r, err := w.Servers.Reconcile(t.Context(), "cloud", nil)
	require.NoError(t, err)
	require.Empty(t, r.Missing)

	w.cloud.Inject(providertest.OpGet, providertest.Fault{Err: provider.ErrUnavailable})
	_, err = w.Servers.Reconcile(t.Context(), "cloud", nil)
	require.ErrorIs(t, err, forge.ErrUnavailable, "no answer is not the answer that it is gone")
}

// hidden is a cloud whose list is behind.
type hidden struct{ *providertest.Fake }

func (h hidden) List(context.Context) ([]*provider.Machine, error) { return nil, nil }

func TestReconcileKnowsTheServersOfOtherProvidersOfAnAccount(t *testing.T) {
	t.Parallel()
	w := idle(t)
	m, err := w.cloud.Create(t.Context(), provider.Spec{ID: "s1", Name: "web-1"})
	require.NoError(t, err)
	w.addServer("acme", func(s *forge.Server) { s.ID, s.Provider, s.ProviderID = "s1", "cloud-in-asia", m.ID })
	r, err := w.Servers.Reconcile(t.Context(), "cloud", &forge.ReconcileOpts{Delete: true})
	require.NoError(t, err)
	require.Empty(t, r.Orphans)
	require.Len(t, w.cloud.Machines(), 1)
}

func TestReconcileIsForAllOwners(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	for _, owner := range []string{"acme", "", "other"} {
		_, err := f.For(owner).Servers.Reconcile(t.Context(), "cloud", &forge.ReconcileOpts{Delete: true})
		require.ErrorIs(t, err, forge.ErrState)
	}
	_, err := f.Servers.Reconcile(t.Context(), "nimbus", nil)
	require.ErrorIs(t, err, forge.ErrInvalid)
	require.Len(t, f.cloud.Machines(), 9)
}

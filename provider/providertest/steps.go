package providertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
)

func (s *suite) validates(t *testing.T) {
	require.NoError(t, s.p.Validate(t.Context()))
	require.Equal(t, s.p.Properties(), s.p.Properties(), "Properties are static")
}

func (s *suite) refusesBadSpecs(t *testing.T) {
	change := map[string]func(*provider.Spec, string){
		"ID":            func(spec *provider.Spec, v string) { spec.ID = v },
		"Name":          func(spec *provider.Spec, v string) { spec.Name = v },
		"AuthorizedKey": func(spec *provider.Spec, v string) { spec.AuthorizedKey = v },
	}
	bad := map[string][]string{
		"ID":            {"", "-rf", "../../etc", "a b", "a\nb", "$(reboot)", strings.Repeat("a", 64)},
		"Name":          {"", "-rf", "a..b", "a b", "a\nb", "a_b", "$(reboot)", strings.Repeat("a", 64)},
		"AuthorizedKey": {"no key", s.first.AuthorizedKey + "\n" + s.first.AuthorizedKey},
	}
	for field, values := range bad {
		for _, value := range values {
			spec := s.first
			change[field](&spec, value)
			m, err := s.p.Create(t.Context(), spec)
			if m != nil {
				s.a = m // is deleted at the end
			}
			require.ErrorIs(t, err, provider.ErrInvalid, "%s %q", field, value)
			require.Nil(t, m, "%s %q", field, value)
		}
	}
	s.requireNone(t)
}

// refusesOptions asks for each option that the provider does not have.
func (s *suite) refusesOptions(t *testing.T) {
	has := s.p.Properties().Options
	for name, option := range map[string]struct {
		offered bool
		asked   provider.Options
	}{
		"UserData":   {has.UserData, provider.Options{UserData: "#cloud-config\n"}},
		"Backups":    {has.Backups, provider.Options{Backups: true}},
		"Monitoring": {has.Monitoring, provider.Options{Monitoring: true}},
		"Network":    {has.Network, provider.Options{Network: "1"}},
		"Firewalls":  {has.Firewalls, provider.Options{Firewalls: []string{"1"}}},
		"IPv6Only":   {has.IPv6Only, provider.Options{IPv6Only: true}},
	} {
		if option.offered {
			continue
		}
		spec := s.first
		spec.Options = option.asked
		m, err := s.p.Create(t.Context(), spec)
		if m != nil {
			s.a = m // is deleted at the end
		}
		require.ErrorIs(t, err, provider.ErrInvalid, "%s is not in the Properties", name)
	}
	s.requireNone(t)
}

// requireNone requires that the provider lists no machine of the suite.
func (s *suite) requireNone(t *testing.T) {
	t.Helper()
	require.Empty(t, s.list(t))
}

// list returns the machines of the suite, or nothing where the provider cannot
// list.
func (s *suite) list(t *testing.T) (ours []*provider.Machine) {
	t.Helper()
	l, ok := s.p.(provider.Lister)
	if !ok {
		return nil
	}
	all, err := l.List(t.Context())
	require.NoError(t, err)
	for _, m := range all {
		if m.SpecID == s.first.ID || m.SpecID == s.second.ID {
			ours = append(ours, m)
		}
	}
	return ours
}

func (s *suite) knowsNoOthers(t *testing.T) {
	for _, id := range []string{s.opts.UnknownID, noSuchMachine, "", "../../etc", "-rf"} {
		m, err := s.p.Get(t.Context(), id)
		require.ErrorIs(t, err, provider.ErrNotFound, "id %q", id)
		require.Nil(t, m)
		require.NoError(t, s.p.Delete(t.Context(), id), "what is gone already is no error: id %q", id)
		for name, order := range s.orders() {
			require.ErrorIs(t, order(t.Context(), id), provider.ErrNotFound, "%s of id %q", name, id)
		}
	}
}

func (s *suite) honoursContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := s.p.Create(ctx, s.first)
	if m != nil {
		s.a = m
	}
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.p.Get(ctx, s.opts.UnknownID)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.p.Delete(ctx, s.opts.UnknownID), context.Canceled)
	require.ErrorIs(t, s.p.Validate(ctx), context.Canceled)
	for name, order := range s.orders() {
		require.ErrorIs(t, order(ctx, s.opts.UnknownID), context.Canceled, name)
	}
	if l, ok := s.p.(provider.Lister); ok {
		_, err := l.List(ctx)
		require.ErrorIs(t, err, context.Canceled, "List")
	}
	if c, ok := s.p.(provider.Cataloger); ok {
		_, err := c.Catalog(ctx)
		require.ErrorIs(t, err, context.Canceled, "Catalog")
	}
	s.requireNone(t)
}

// createsOne asks for the same machine by several at once, and then again.
func (s *suite) createsOne(t *testing.T) {
	const callers = 3
	var wg sync.WaitGroup
	machines, errs := make([]*provider.Machine, callers), make([]error, callers)
	for i := range callers {
		wg.Go(func() { machines[i], errs[i] = s.p.Create(t.Context(), s.first) })
	}
	wg.Wait()
	made := make(map[string]bool)
	for i, m := range machines {
		require.NoError(t, errs[i])
		require.NotNil(t, m)
		s.a = m
		made[m.ID] = true
		s.requireDescribes(t, m, s.first)
	}
	require.Len(t, made, 1, "Create at the same time is idempotent by Spec.ID")

	again, err := s.p.Create(t.Context(), s.first)
	require.NoError(t, err)
	require.Equal(t, s.a.ID, again.ID, "Create is idempotent by Spec.ID")
	s.requireDescribes(t, again, s.first)
	if _, ok := s.p.(provider.Lister); ok {
		require.Len(t, s.list(t), 1)
	}
}

// requireDescribes requires what Create answers to be the machine of a spec.
func (s *suite) requireDescribes(t *testing.T, m *provider.Machine, spec provider.Spec) {
	t.Helper()
	require.NotEmpty(t, m.ID)
	require.Equal(t, spec.ID, m.SpecID)
	require.Equal(t, spec.Name, m.Name)
	require.Contains(t, []provider.Status{provider.StatusPending, provider.StatusActive}, m.Status)
}

// shows waits until the machine is active and looks at what is known of it.
func (s *suite) shows(t *testing.T) {
	s.a = s.active(t, s.a.ID)
	m := s.a
	require.Positive(t, m.Port)
	require.NotEmpty(t, m.User)
	if s.existing {
		return // it knows what is in the id, and no more
	}
	s.requireDescribes(t, m, s.first)
	if !s.opts.NoLabels {
		require.Subset(t, m.Labels, s.first.Labels)
	}
	require.False(t, m.Created.IsZero())
}

// active waits until a machine is active and has an address.
func (s *suite) active(t *testing.T, id string) (m *provider.Machine) {
	t.Helper()
	s.eventually(t, "machine "+id+" to be active", func(context.Context) error {
		m = s.get(t, id)
		require.NotEqual(t, provider.StatusError, m.Status, "the provider gave up")
		if m.Status != provider.StatusActive || m.Address == "" {
			return fmt.Errorf("it is %s, its address %q", m.Status, m.Address)
		}
		return nil
	})
	require.Equal(t, id, m.ID)
	return m
}

func (s *suite) createsAnother(t *testing.T) {
	m, err := s.p.Create(t.Context(), s.second)
	require.NoError(t, err)
	s.b = m
	s.requireDescribes(t, m, s.second)
	require.NotEqual(t, s.a.ID, m.ID)
	s.b = s.active(t, m.ID)
	require.NotEqual(t, fmt.Sprint(s.a.Address, s.a.Port), fmt.Sprint(s.b.Address, s.b.Port))
}

func (s *suite) listsBoth(t *testing.T) {
	listed := make(map[string]string)
	for _, m := range s.list(t) {
		listed[m.ID] = m.SpecID
	}
	require.Equal(t, map[string]string{s.a.ID: s.first.ID, s.b.ID: s.second.ID}, listed)
}

func (s *suite) leavesExisting(t *testing.T) {
	require.NoError(t, s.p.Delete(t.Context(), s.a.ID))
	require.NoError(t, s.p.Delete(t.Context(), s.a.ID))
	m, err := s.p.Get(t.Context(), s.a.ID)
	require.NoError(t, err, "a machine that was there before is there afterwards")
	require.Equal(t, s.a, m)
}

// deletes removes one machine, and by several at once the other.
func (s *suite) deletes(t *testing.T) {
	require.NoError(t, s.p.Delete(t.Context(), s.a.ID))
	s.gone(t, s.a.ID)
	require.NoError(t, s.p.Delete(t.Context(), s.a.ID), "what is gone already is no error")
	require.Equal(t, s.b.ID, s.get(t, s.b.ID).ID, "the other machine is left alone")

	const callers = 3
	errs := make(chan error, callers)
	for range callers {
		go func() { errs <- s.p.Delete(t.Context(), s.b.ID) }()
	}
	for range callers {
		require.NoError(t, <-errs)
	}
	s.gone(t, s.b.ID)
	s.requireNone(t)
	if c, ok := s.p.(provider.Cleaner); ok {
		for range 2 {
			s.order(t, "clean up", func(ctx context.Context) error {
				return c.Clean(ctx, provider.Spec{ID: s.a.SpecID, AuthorizedKey: s.first.AuthorizedKey})
			})
		}
	}
}

func (s *suite) gone(t *testing.T, id string) {
	t.Helper()
	s.eventually(t, "machine "+id+" to be gone", func(ctx context.Context) error {
		_, err := s.p.Get(ctx, id)
		if err == nil {
			return fmt.Errorf("machine %s is still there", id)
		}
		require.ErrorIs(t, err, provider.ErrNotFound)
		return nil
	})
}

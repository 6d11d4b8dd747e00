package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
)

// order gives an order that a provider may be too busy for at first, or not know the
// machine yet.
func (s *suite) order(t *testing.T, what string, give func(context.Context) error) {
	t.Helper()
	s.eventually(t, "to "+what, func(ctx context.Context) error {
		err := give(ctx)
		for _, passing := range []error{provider.ErrUnavailable, provider.ErrRateLimit, provider.ErrNotFound} {
			if errors.Is(err, passing) {
				return err
			}
		}
		require.NoError(t, err, what)
		return nil
	})
}

// switchesPower switches a machine off, on, and restarts it. What is so already is
// no error.
func (s *suite) switchesPower(t *testing.T) {
	p := s.p.(provider.Power)
	s.off(t, p)
	m, err := s.p.Create(t.Context(), s.first)
	require.NoError(t, err)
	require.Equal(t, s.a.ID, m.ID, "Create is idempotent by Spec.ID also for a machine that is off")

	s.on(t, p)
	s.order(t, "reboot", func(ctx context.Context) error { return p.Reboot(ctx, s.a.ID) })
	s.comesBack(t)
}

// off switches the first machine off, twice.
func (s *suite) off(t *testing.T, p provider.Power) {
	t.Helper()
	for range 2 {
		s.order(t, "switch off", func(ctx context.Context) error { return p.PowerOff(ctx, s.a.ID) })
		s.eventually(t, "machine "+s.a.ID+" to be off", func(context.Context) error {
			if m := s.get(t, s.a.ID); m.Status != provider.StatusOff {
				return fmt.Errorf("it is %s", m.Status)
			}
			return nil
		})
	}
}

// on switches the first machine on, twice.
func (s *suite) on(t *testing.T, p provider.Power) {
	t.Helper()
	for range 2 {
		s.order(t, "switch on", func(ctx context.Context) error { return p.PowerOn(ctx, s.a.ID) })
		s.comesBack(t)
	}
}

// comesBack waits until the first machine is what it was before.
func (s *suite) comesBack(t *testing.T) {
	t.Helper()
	m := s.active(t, s.a.ID)
	require.Equal(t, s.first.ID, m.SpecID)
	require.Equal(t, []netip.Addr{s.a.IPv4, s.a.IPv6}, []netip.Addr{m.IPv4, m.IPv6}, "it keeps its addresses")
	if !s.opts.NoLogin {
		s.acceptsLogin(t)
	}
}

func (s *suite) resizes(t *testing.T) {
	p := s.p.(provider.Power)
	r := s.p.(provider.Resizer)
	s.off(t, p)
	require.ErrorIs(t, r.Resize(t.Context(), s.a.ID, unknown), provider.ErrInvalid, "there is no such size")
	for range 2 {
		s.order(t, "resize", func(ctx context.Context) error { return r.Resize(ctx, s.a.ID, s.opts.Resize) })
	}
	s.on(t, p)
}

func (s *suite) rebuilds(t *testing.T) {
	r := s.p.(provider.Rebuilder)
	require.ErrorIs(t, r.Rebuild(t.Context(), s.a.ID, unknown), provider.ErrInvalid, "there is no such image")
	s.order(t, "rebuild", func(ctx context.Context) error { return r.Rebuild(ctx, s.a.ID, s.opts.Rebuild) })
	s.comesBack(t)
}

// orders are those that concern one machine, by what the provider can do.
func (s *suite) orders() map[string]func(ctx context.Context, id string) error {
	orders := make(map[string]func(context.Context, string) error)
	if p, ok := s.p.(provider.Power); ok {
		orders["PowerOn"], orders["PowerOff"], orders["Reboot"] = p.PowerOn, p.PowerOff, p.Reboot
	}
	if r, ok := s.p.(provider.Resizer); ok {
		orders["Resize"] = func(ctx context.Context, id string) error { return r.Resize(ctx, id, s.opts.Resize) }
	}
	if r, ok := s.p.(provider.Rebuilder); ok {
		orders["Rebuild"] = func(ctx context.Context, id string) error { return r.Rebuild(ctx, id, s.opts.Rebuild) }
	}
	return orders
}

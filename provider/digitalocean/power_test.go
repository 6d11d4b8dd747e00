package digitalocean_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestPower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, _, p := account(t, fake.Config{Work: 10 * time.Second})
		m, err := p.Create(t.Context(), spec(t, "a"))
		require.NoError(t, err)
		status := func() provider.Status {
			time.Sleep(20 * time.Second)
			m, err := p.Get(t.Context(), m.ID)
			require.NoError(t, err)
			return m.Status
		}
		require.Equal(t, provider.StatusActive, status())
		require.NoError(t, p.PowerOn(t.Context(), m.ID), "it is on already")
		require.ErrorIs(t, p.Resize(t.Context(), m.ID, "s-2vcpu-4gb"), provider.ErrConflict)
		require.NoError(t, p.Reboot(t.Context(), m.ID))
		require.ErrorIs(t, p.PowerOff(t.Context(), m.ID), provider.ErrUnavailable, "it is being rebooted")
		require.Equal(t, provider.StatusActive, status())

		require.NoError(t, p.PowerOff(t.Context(), m.ID))
		require.Equal(t, provider.StatusOff, status())
		require.NoError(t, p.PowerOff(t.Context(), m.ID))
		require.ErrorIs(t, p.Reboot(t.Context(), m.ID), provider.ErrConflict)
		require.ErrorIs(t, p.Resize(t.Context(), m.ID, "huge"), provider.ErrInvalid)
		require.ErrorIs(t, p.Resize(t.Context(), m.ID, "s-1vcpu-512mb-10gb"), provider.ErrCapacity)
		require.NoError(t, p.Resize(t.Context(), m.ID, "s-2vcpu-4gb"))
		require.Equal(t, provider.StatusOff, status())
		require.Equal(t, "s-2vcpu-4gb", api.Droplets()[0].Size)
		require.NoError(t, p.Resize(t.Context(), m.ID, "s-2vcpu-4gb"))
		require.NoError(t, p.PowerOn(t.Context(), m.ID))
		require.Equal(t, provider.StatusActive, status())

		require.ErrorIs(t, p.Rebuild(t.Context(), m.ID, "plan-9"), provider.ErrInvalid)
		require.NoError(t, p.Rebuild(t.Context(), m.ID, "debian-13"))
		require.Equal(t, provider.StatusActive, status())
		require.Equal(t, "debian-13-x64", api.Droplets()[0].Image)
		require.NoError(t, p.Rebuild(t.Context(), m.ID, "108"))
		require.Equal(t, provider.StatusActive, status())
		require.Equal(t, "108", api.Droplets()[0].Image)
	})
}

package hetzner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestPower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{Work: 10 * time.Second})
		m, err := w.Create(t.Context(), spec(1))
		require.NoError(t, err)
		const acts = "POST /servers/{id}/actions/{action}"
		done := func(err error) {
			t.Helper()
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
		}
		done(w.PowerOn(t.Context(), m.ID))
		require.Zero(t, w.api.Taken(acts), "it is on already")
		done(w.Reboot(t.Context(), m.ID))
		require.ErrorIs(t, w.Resize(t.Context(), m.ID, "cx33"), provider.ErrConflict)
		done(w.PowerOff(t.Context(), m.ID))
		done(w.PowerOff(t.Context(), m.ID))
		require.Equal(t, "off", w.api.Servers()[0].Status)
		require.ErrorIs(t, w.Reboot(t.Context(), m.ID), provider.ErrConflict)

		require.ErrorIs(t, w.Resize(t.Context(), m.ID, "cax11"), provider.ErrInvalid, "another architecture")
		done(w.Resize(t.Context(), m.ID, "cx33"))
		require.Equal(t, "cx33", w.api.Servers()[0].Size)
		taken := w.api.Taken(acts)
		done(w.Resize(t.Context(), m.ID, "cx33"))
		require.Equal(t, taken, w.api.Taken(acts), "it has that size already")

		require.ErrorIs(t, w.Rebuild(t.Context(), m.ID, "debian-99"), provider.ErrInvalid)
		require.NoError(t, w.Rebuild(t.Context(), m.ID, "ubuntu-24.04"))
		require.Equal(t, int64(161547269), w.api.Servers()[0].Image)
		require.ErrorIs(t, w.PowerOff(t.Context(), m.ID), provider.ErrUnavailable, "it is locked")
		time.Sleep(10 * time.Second)
		done(w.PowerOff(t.Context(), m.ID))
		done(w.PowerOn(t.Context(), m.ID))
		require.Equal(t, "running", w.api.Servers()[0].Status)
	})
}

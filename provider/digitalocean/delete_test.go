package digitalocean_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
)

// TestNewMachine is not found by its id for a while, and is deleted all the same.
func TestNewMachine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, _, p := account(t, fake.Config{Missing: 3, Boot: 30 * time.Second})
		m, err := p.Create(t.Context(), spec(t, "a"))
		require.NoError(t, err)
		require.Equal(t, provider.StatusPending, m.Status)
		require.Empty(t, m.Address)
		_, err = p.Get(t.Context(), m.ID)
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.NoError(t, p.Delete(t.Context(), m.ID))
		require.Empty(t, api.Droplets())
		require.Empty(t, api.Keys())
	})
}

func TestDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, _, p := account(t, fake.Config{Dying: 5 * time.Second})
		s := spec(t, "a")
		s.Labels = map[string]string{"env": "test"}
		m, err := p.Create(t.Context(), s)
		require.NoError(t, err)
		api.Refuse("DELETE /v2/droplets/{id}", 422, "unprocessable_entity", "Droplet already has a pending event.")
		require.ErrorIs(t, p.Delete(t.Context(), m.ID), provider.ErrUnavailable)
		require.Len(t, api.Droplets(), 1)

		began := time.Now()
		require.NoError(t, p.Delete(t.Context(), m.ID))
		require.GreaterOrEqual(t, time.Since(began), 5*time.Second, "it is gone when Delete returns")
		require.Empty(t, api.Droplets())
		require.Empty(t, api.Keys())
		require.ElementsMatch(t, []string{"forge", "env:test"}, api.Tags(), "what others may use stays")
		require.NoError(t, p.Delete(t.Context(), m.ID))
	})
}

// TestUndying is a droplet that the vendor does not remove.
func TestUndying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, _, p := account(t, fake.Config{Dying: time.Hour})
		m, err := p.Create(t.Context(), spec(t, "a"))
		require.NoError(t, err)
		require.ErrorIs(t, p.Delete(t.Context(), m.ID), provider.ErrUnavailable)
		require.Contains(t, api.Tags(), "forge:id:a", "it is still known as forge's")
	})
}

// TestLostDelete loses the answer to the order to delete, before and after its effect.
func TestLostDelete(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			api, way, p := account(t, fake.Config{})
			m, err := p.Create(t.Context(), spec(t, "a"))
			require.NoError(t, err)
			way.Fault = func(r *http.Request) fakecloud.Fault {
				order := r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/droplets/")
				return fakecloud.Fault{Lost: order && lost, Cut: order && !lost}
			}
			err = p.Delete(t.Context(), m.ID)
			if lost {
				require.NoError(t, err, "it is gone")
				require.Empty(t, api.Droplets())
				return
			}
			require.ErrorIs(t, err, provider.ErrUnavailable)
			require.Len(t, api.Droplets(), 1)
			way.Fault = nil
			require.NoError(t, p.Delete(t.Context(), m.ID))
			require.Equal(t, []string{"forge"}, api.Tags())
		})
	}
}

// TestNoTagScope has a token that may not delete tags: they stay, and the droplet goes.
func TestNoTagScope(t *testing.T) {
	t.Parallel()
	api, _, p := account(t, fake.Config{})
	m, err := p.Create(t.Context(), spec(t, "a"))
	require.NoError(t, err)
	for range 2 {
		api.Refuse("DELETE /v2/tags/{id}", http.StatusForbidden, "forbidden", "You are missing the required permission tag:delete.")
	}
	require.NoError(t, p.Delete(t.Context(), m.ID))
	require.Empty(t, api.Droplets())
	require.Contains(t, api.Tags(), "forge:id:a")
}

// TestLostTagDelete has every first order to delete a tag go wrong.
func TestLostTagDelete(t *testing.T) {
	t.Parallel()
	api, way, p := account(t, fake.Config{})
	m, err := p.Create(t.Context(), spec(t, "a"))
	require.NoError(t, err)
	orders := make(map[string]int)
	way.Fault = func(r *http.Request) fakecloud.Fault {
		if r.Method != http.MethodDelete || !strings.Contains(r.URL.Path, "/tags/") {
			return fakecloud.Fault{}
		}
		orders[r.URL.Path]++
		return fakecloud.Fault{Cut: orders[r.URL.Path] == 1}
	}
	require.NoError(t, p.Delete(t.Context(), m.ID))
	require.Len(t, orders, 2)
	require.Equal(t, []string{"forge"}, api.Tags())
}

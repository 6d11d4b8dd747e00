package digitalocean_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
)

// fill makes n machines of forge without asking for them.
func fill(api *fake.API, n int) (ids []string) {
	for i := range n {
		ids = append(ids, strconv.Itoa(api.AddDroplet(fmt.Sprint("web-", i), "forge", fmt.Sprint("forge:id:m-", i))))
	}
	return ids
}

func TestPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, _, p := account(t, fake.Config{})
		ids := fill(api, 450)
		api.AddDroplet("foreign", "forge")
		all, err := p.List(t.Context())
		require.NoError(t, err)
		var listed []string
		for _, m := range all {
			listed = append(listed, m.ID)
		}
		require.ElementsMatch(t, ids, listed)
		require.Equal(t, 3, api.Taken("GET /v2/droplets"))
	})
}

// TestMovingPages deletes a machine between two pages, so that another one moves to
// the page that was read already.
func TestMovingPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{})
		ids := fill(api, 450)
		newest, lists := ids[len(ids)-1], 0
		way.Fault = func(r *http.Request) fakecloud.Fault {
			if lists++; lists == 2 {
				straight := &fakecloud.Transport{Handler: api}
				gone := r.Clone(r.Context())
				gone.Method = http.MethodDelete
				gone.URL = r.URL.JoinPath(newest)
				resp, err := straight.RoundTrip(gone)
				if err != nil {
					t.Error(err)
					return fakecloud.Fault{}
				}
				_ = resp.Body.Close()
			}
			return fakecloud.Fault{}
		}
		all, err := p.List(t.Context())
		require.NoError(t, err)
		listed := make(map[string]bool)
		for _, m := range all {
			listed[m.ID] = true
		}
		for _, id := range ids[:len(ids)-1] {
			require.True(t, listed[id], "machine %s is passed over", id)
		}
	})
}

// TestManyLooks asks for 400 machines at once, which takes few requests.
func TestManyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{PerMinute: 250})
		way.Fault = func(*http.Request) fakecloud.Fault { return fakecloud.Fault{Delay: 100 * time.Millisecond} }
		var wg sync.WaitGroup
		for i, id := range fill(api, 400) {
			wg.Go(func() {
				m, err := p.Get(t.Context(), id)
				if err != nil || m.SpecID != fmt.Sprint("m-", i) {
					t.Errorf("%v: %v", m, err)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, api.Taken("GET /v2/droplets")+api.Taken("GET /v2/droplets/{id}"), 6)
	})
}

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

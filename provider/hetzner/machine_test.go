package hetzner_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{Missing: 1, Boot: time.Minute, Dying: time.Minute, Work: time.Minute})
		m, err := w.Create(t.Context(), spec(1))
		require.NoError(t, err)
		require.Equal(t, provider.StatusPending, m.Status)
		_, err = w.Get(t.Context(), m.ID)
		require.ErrorIs(t, err, provider.ErrNotFound, "that passes")
		is := func(want provider.Status) {
			t.Helper()
			got, err := w.Get(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, want, got.Status)
		}
		is(provider.StatusPending)
		time.Sleep(time.Minute)
		is(provider.StatusActive)
		require.NoError(t, w.PowerOff(t.Context(), m.ID))
		time.Sleep(time.Minute)
		is(provider.StatusOff)
		require.NoError(t, w.Rebuild(t.Context(), m.ID, "ubuntu-24.04"))
		is(provider.StatusPending)
	})
}

func TestListReadsEveryPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	const many = 120
	for n := range many {
		w.api.AddServer(fmt.Sprint("a-", n), map[string]string{"forge": "forge", "forge-id": fmt.Sprint(n)})
		w.api.AddServer(fmt.Sprint("b-", n), map[string]string{"forge": "other", "forge-id": fmt.Sprint(n)})
		w.api.AddServer(fmt.Sprint("c-", n), map[string]string{"forge": "forge"})
	}
	list, err := w.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, many)
	seen := make(map[string]bool)
	for _, m := range list {
		seen[m.SpecID] = true
	}
	require.Len(t, seen, many)
	require.Equal(t, 4, w.api.Taken("GET /servers"), "the first of three pages twice")
}

// A server that is there all the time is listed, whatever goes meanwhile.
func TestListWhileOthersAreDeleted(t *testing.T) {
	t.Parallel()
	const many = 220
	var w *world
	var ids []int64
	deleted := 0
	w = faulty(t, fake.Config{}, func(r *http.Request) fakecloud.Fault {
		for range 30 { // before each page
			other, err := http.NewRequestWithContext(r.Context(), http.MethodDelete, fmt.Sprint("https://api.hetzner.cloud/v1/servers/", ids[deleted]), nil)
			require.NoError(t, err)
			other.Header.Set("Authorization", "Bearer token")
			w.api.ServeHTTP(httptest.NewRecorder(), other)
			deleted++
		}
		return fakecloud.Fault{}
	})
	for n := range many {
		ids = append(ids, w.api.AddServer(fmt.Sprint("a-", n), map[string]string{"forge": "forge", "forge-id": fmt.Sprint(n)}))
	}
	list, err := w.List(t.Context())
	require.NoError(t, err)
	listed := make(map[string]bool)
	for _, m := range list {
		require.False(t, listed[m.ID], "none twice")
		listed[m.ID] = true
	}
	left := w.api.Servers()
	require.NotEmpty(t, left)
	require.Less(t, len(left), many-60)
	for _, srv := range left {
		require.True(t, listed[fmt.Sprint(srv.ID)])
	}
}

// Many who ask at once are answered by lists.
func TestManyGets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := fake.New(fake.Config{})
		p := connect(t, &fakecloud.Transport{Handler: api}, "token")
		const many = 500
		ids := make([]string, many)
		for n := range ids {
			ids[n] = fmt.Sprint(api.AddServer(fmt.Sprint("a-", n), map[string]string{"forge": "forge", "forge-id": fmt.Sprint(n)}))
		}
		const rounds = 12
		for range rounds {
			var wg sync.WaitGroup
			for n, id := range ids {
				wg.Go(func() {
					m, err := p.Get(t.Context(), id)
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint(n), m.SpecID)
				})
			}
			wg.Wait()
			time.Sleep(5 * time.Second)
		}
		requests := api.Taken("GET /servers") + api.Taken("GET /servers/{id}")
		require.Less(t, requests, rounds*15, "ten pages are a list of %d", many)
	})
}

// What forge did not make is not there, whatever is asked for.
func TestForeignServersAreNotTouched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	for n, labels := range []map[string]string{nil, {"forge": "forge"}, {"forge-id": "id-1"}, {"forge": "other", "forge-id": "id-1"}} {
		id := fmt.Sprint(w.api.AddServer(fmt.Sprint("foreign-", n), labels))
		_, err := w.Get(t.Context(), id)
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.NoError(t, w.Delete(t.Context(), id))
		for _, err := range []error{
			w.PowerOn(t.Context(), id), w.PowerOff(t.Context(), id), w.Reboot(t.Context(), id),
			w.Resize(t.Context(), id, "cx33"), w.Rebuild(t.Context(), id, "debian-12"),
		} {
			require.ErrorIs(t, err, provider.ErrNotFound)
		}
	}
	list, err := w.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	_, err = w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	require.Len(t, w.api.Servers(), 5)
	require.Zero(t, w.api.Taken("DELETE /servers/{id}"))
	require.Zero(t, w.api.Taken("POST /servers/{id}/actions/{action}"))
}

package hetzner_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

// A key that the project has already is used, and stays.
func TestForeignKeyIsUsedAndStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	id, err := w.api.AddKey("laptop", publicKey()+" me@laptop")
	require.NoError(t, err)
	m, err := w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	require.Equal(t, []string{publicKey() + " me@laptop"}, w.api.Servers()[0].Keys)
	require.NoError(t, w.Delete(t.Context(), m.ID))
	require.Empty(t, w.api.Servers())
	require.Len(t, w.api.Keys(), 1)
	require.Equal(t, id, w.api.Keys()[0].ID)
}

func TestForeignKeyOfOurName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	_, err := w.api.AddKey("forge-id-1", newKey())
	require.NoError(t, err)
	_, err = w.Create(t.Context(), spec(1))
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, `"forge-id-1", which forge did not make: rename it`)
	require.Len(t, w.api.Keys(), 1)
	require.Empty(t, w.api.Servers())
}

// An earlier try, of which nothing was heard any more, was with another key.
func TestKeyOfAnEarlierTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		w := faulty(t, fake.Config{}, func(r *http.Request) fakecloud.Fault {
			if r.URL.Path == "/v1/servers" && r.Method == http.MethodPost {
				down.Store(true)
			}
			return fakecloud.Fault{Cut: down.Load()}
		})
		_, err := w.Create(t.Context(), spec(1))
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.Len(t, w.api.Keys(), 1)

		again := spec(1)
		again.AuthorizedKey = newKey()
		m, err := use(t, w.api, "token").Create(t.Context(), again)
		require.NoError(t, err)
		require.Equal(t, []string{again.AuthorizedKey}, w.api.Servers()[0].Keys)
		require.Len(t, w.api.Keys(), 1)

		require.NoError(t, use(t, w.api, "token").Delete(t.Context(), m.ID))
		require.Empty(t, w.api.Keys())
	})
}

// Another process, which could not make the same server, removes the entry that this
// one is about to name.
func TestKeyThatAnotherRemoves(t *testing.T) {
	t.Parallel()
	var api *fake.API
	var once sync.Once
	w := faulty(t, fake.Config{}, func(r *http.Request) fakecloud.Fault {
		if r.URL.Path == "/v1/servers" && r.Method == http.MethodPost {
			once.Do(func() {
				other := httptest.NewRequestWithContext(r.Context(), http.MethodDelete, fmt.Sprint("/v1/ssh_keys/", api.Keys()[0].ID), nil)
				other.Header.Set("Authorization", "Bearer token")
				api.ServeHTTP(httptest.NewRecorder(), other)
			})
		}
		return fakecloud.Fault{}
	})
	api = w.api
	_, err := w.Create(t.Context(), spec(1))
	require.ErrorIs(t, err, provider.ErrUnavailable)
	_, err = w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	require.Equal(t, 1, api.Made())
}

package digitalocean_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
)

// TestUsedKey has a key in the account that the droplet is to accept: it is used, and
// stays.
func TestUsedKey(t *testing.T) {
	t.Parallel()
	api, _, p := account(t, fake.Config{Droplets: 1})
	s := spec(t, "a")
	_, err := api.AddKey("somebody's laptop", s.AuthorizedKey)
	require.NoError(t, err)
	m, err := p.Create(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, []string{s.AuthorizedKey}, api.Droplets()[0].Keys)

	s2 := s
	s2.ID = "b"
	_, err = p.Create(t.Context(), s2)
	require.ErrorIs(t, err, provider.ErrQuota)
	require.NoError(t, p.Delete(t.Context(), m.ID))
	require.Len(t, api.Keys(), 1)
	require.Equal(t, "somebody's laptop", api.Keys()[0].Name)
}

// TestRefusedKey is one that the vendor does not take.
func TestRefusedKey(t *testing.T) {
	t.Parallel()
	api, _, p := account(t, fake.Config{})
	api.Refuse("POST /v2/account/keys", http.StatusUnprocessableEntity, "unprocessable_entity", "Key invalid, key type is not supported")
	_, err := p.Create(t.Context(), spec(t, "a"))
	require.ErrorIs(t, err, provider.ErrInvalid)
	require.Zero(t, api.Taken(order))
}

// TestSharedKey has two machines with one key: its entry goes with the machine that it
// was made for, and both go.
func TestSharedKey(t *testing.T) {
	t.Parallel()
	api, _, p := account(t, fake.Config{})
	a := spec(t, "a")
	b := a
	b.ID = "b"
	one, err := p.Create(t.Context(), a)
	require.NoError(t, err)
	two, err := p.Create(t.Context(), b)
	require.NoError(t, err)
	require.NoError(t, p.Delete(t.Context(), two.ID))
	require.Len(t, api.Keys(), 1)
	require.NoError(t, p.Delete(t.Context(), one.ID))
	require.Empty(t, api.Keys())
	require.Equal(t, []string{"forge"}, api.Tags())
}

// TestKeyThatAnotherRemoves has another process, which could not make the same
// droplet, remove the entry that this one is about to name.
func TestKeyThatAnotherRemoves(t *testing.T) {
	t.Parallel()
	api, way, p := account(t, fake.Config{})
	var once sync.Once
	way.Fault = func(r *http.Request) fakecloud.Fault {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets") {
			once.Do(func() {
				other := httptest.NewRequestWithContext(r.Context(), http.MethodDelete, fmt.Sprint("/v2/account/keys/", api.Keys()[0].ID), nil)
				other.Header.Set("Authorization", "Bearer token")
				api.ServeHTTP(httptest.NewRecorder(), other)
			})
		}
		return fakecloud.Fault{}
	}
	s := spec(t, "a")
	_, err := p.Create(t.Context(), s)
	require.ErrorIs(t, err, provider.ErrUnavailable)
	_, err = p.Create(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, 1, api.Made())
}

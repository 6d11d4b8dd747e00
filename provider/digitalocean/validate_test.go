package digitalocean_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/secret"
)

// scopes are those of the work.
var scopes = []string{
	"droplet:create", "droplet:read", "droplet:update", "droplet:delete", "ssh_key:create", "ssh_key:read", "ssh_key:delete",
	"tag:create", "tag:read", "tag:delete", "regions:read", "sizes:read", "image:read",
}

func TestValidate(t *testing.T) {
	t.Parallel()
	_, way, p := account(t, fake.Config{Scopes: scopes})
	require.NoError(t, p.Validate(t.Context()), "the scopes of the work are enough")
	m, err := p.Create(t.Context(), spec(t, "a"))
	require.NoError(t, err)
	require.NoError(t, p.Delete(t.Context(), m.ID))

	bad := connect(t, way, digitalocean.Config{Token: secret.New("another")})
	err = bad.Validate(t.Context())
	require.ErrorIs(t, err, provider.ErrAuth)
	require.NotErrorIs(t, err, provider.ErrPermission)
	require.NotContains(t, err.Error(), "another")

	_, _, reader := account(t, fake.Config{Scopes: []string{"droplet:read", "ssh_key:read", "account:read"}})
	require.ErrorIs(t, reader.Validate(t.Context()), provider.ErrPermission)
	_, _, blind := account(t, fake.Config{Scopes: []string{}})
	require.ErrorIs(t, blind.Validate(t.Context()), provider.ErrPermission)
}

// TestHiddenTags has droplets that do not show their tags: none is kept, as forge would
// not know it again.
func TestHiddenTags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blind := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == "tag:read" })
		api, _, p := account(t, fake.Config{Scopes: blind})
		require.ErrorIs(t, p.Validate(t.Context()), provider.ErrPermission)
		for range 3 {
			_, err := p.Create(t.Context(), spec(t, "a"))
			require.ErrorIs(t, err, provider.ErrPermission)
			require.ErrorContains(t, err, "tag:read")
			require.Empty(t, api.Droplets())
			require.Empty(t, api.Keys())
		}

		api, way, p := account(t, fake.Config{Scopes: blind})
		way.Fault = func(r *http.Request) fakecloud.Fault {
			return fakecloud.Fault{Lost: r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets")}
		}
		for range 3 {
			_, err := p.Create(t.Context(), spec(t, "a"))
			require.ErrorIs(t, err, provider.ErrPermission)
		}
		require.Equal(t, 1, api.Made(), "what may be its own keeps it from making another")

		api, _, p = account(t, fake.Config{})
		api.AddDroplet("foreign", "FORGE")
		_, err := p.Create(t.Context(), spec(t, "a"))
		require.ErrorIs(t, err, provider.ErrConflict)
		require.ErrorContains(t, err, "capitals")
		require.Len(t, api.Droplets(), 1)
	})
}

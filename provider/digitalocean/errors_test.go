package digitalocean_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/digitalocean/godo"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/secret"
)

var sentinels = []error{
	provider.ErrNotFound, provider.ErrInvalid, provider.ErrAuth, provider.ErrPermission, provider.ErrQuota,
	provider.ErrCapacity, provider.ErrRateLimit, provider.ErrConflict, provider.ErrUnavailable, provider.ErrMissing,
}

// TestErrors has the order refused in the vendor's words.
func TestErrors(t *testing.T) {
	t.Parallel()
	const refused = http.StatusUnprocessableEntity
	tests := []struct {
		status  int
		message string
		want    error
		advice  string
	}{
		{http.StatusUnauthorized, "Unable to authenticate you", provider.ErrAuth, "API token"},
		{http.StatusForbidden, "You are missing the required permission droplet:create.", provider.ErrPermission, "scopes"},
		{http.StatusNotFound, "The resource you were accessing could not be found.", provider.ErrInvalid, "does not exist"},
		{http.StatusConflict, "The resource conflicts", provider.ErrConflict, ""},
		{http.StatusBadRequest, "malformed", provider.ErrInvalid, ""},
		{http.StatusInternalServerError, "Server was unable to give you a response.", provider.ErrUnavailable, "try again"},
		{http.StatusServiceUnavailable, "Service Unavailable", provider.ErrUnavailable, "try again"},
		{refused, "creating this/these droplet(s) will exceed your droplet limit", provider.ErrQuota, "higher limit"},
		{refused, "Region is not available", provider.ErrCapacity, "another region or size"},
		{refused, "Size is not available in this region.", provider.ErrCapacity, "another region or size"},
		{refused, "size is unavailable", provider.ErrCapacity, "another region or size"},
		{refused, "This size is currently restricted, please open a ticket", provider.ErrPermission, "restriction"},
		{refused, "The image you specified is not available in the selected region, you can transfer it to this region from the images pages.", provider.ErrInvalid, ""},
		{refused, "You specified an invalid region for Droplet creation.", provider.ErrInvalid, ""},
		{refused, "Failed to create droplet, please try again", provider.ErrUnavailable, "try again"},
		{refused, "Droplet already has a pending event.", provider.ErrUnavailable, "try again"},
	}
	for _, test := range tests {
		t.Run(test.message, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				api, _, p := account(t, fake.Config{})
				api.Refuse(order, test.status, "unprocessable_entity", test.message)
				_, err := p.Create(t.Context(), spec(t, "a"))
				for _, sentinel := range sentinels {
					require.Equal(t, sentinel == test.want, errors.Is(err, sentinel), "%v: %v", sentinel, err)
				}
				var told *godo.ErrorResponse
				require.ErrorAs(t, err, &told)
				require.Equal(t, test.message, told.Message)
				require.ErrorContains(t, err, test.advice)
				require.True(t, strings.HasPrefix(err.Error(), "digitalocean: create: "))
				require.Empty(t, api.Droplets())
				require.Empty(t, api.Keys())
				require.Equal(t, 1, api.Taken(order))
			})
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	work := []string{
		"droplet:create", "droplet:read", "droplet:update", "droplet:delete", "ssh_key:create", "ssh_key:read", "ssh_key:delete",
		"tag:create", "tag:read", "tag:delete", "actions:read", "regions:read", "sizes:read", "image:read",
	}
	_, way, p := account(t, fake.Config{Scopes: work})
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

func TestConfig(t *testing.T) {
	t.Parallel()
	token := secret.New("token")
	for name, cfg := range map[string]digitalocean.Config{
		"no token":        {},
		"token of lines":  {Token: secret.New("a\nb")},
		"bad namespace":   {Token: token, Namespace: "Forge"},
		"tag of one":      {Token: token, Namespace: "forge:id"},
		"relative":        {Token: token, Endpoint: "/v2"},
		"another scheme":  {Token: token, Endpoint: "file:///etc"},
		"not an endpoint": {Token: token, Endpoint: "http://[::1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := digitalocean.New(cfg)
			require.ErrorIs(t, err, provider.ErrInvalid)
			require.ErrorContains(t, err, "digitalocean: ")
		})
	}
}

// TestRedirect has an answer that points elsewhere: neither the token nor the order
// goes there.
func TestRedirect(t *testing.T) {
	t.Parallel()
	hosts := make(map[string]int)
	way := &fakecloud.Transport{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts[r.URL.Host]++
		http.Redirect(w, r, "https://elsewhere.example.test/", http.StatusTemporaryRedirect)
	})}
	p := connect(t, way, digitalocean.Config{Endpoint: "https://api.example.test/proxy"})
	_, err := p.List(t.Context())
	require.ErrorIs(t, err, provider.ErrUnavailable)
	require.Equal(t, map[string]int{"api.example.test": 1}, hosts)
}

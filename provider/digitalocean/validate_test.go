package digitalocean_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/secret"
)

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

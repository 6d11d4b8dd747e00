package provider_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFN1xaQLKEXx8R+A5c5oTQ0kUXtWUEDAPCH5yVXM4hLM forge"

func TestSpecValidate(t *testing.T) {
	t.Parallel()
	good := provider.Spec{ID: "0198f3d2-7c1a-7b5e-9f00-000000000001", Name: "web-1.example.com", AuthorizedKey: publicKey}
	require.NoError(t, good.Validate(provider.Properties{}))
	require.NoError(t, provider.Spec{ID: "a", Name: "a"}.Validate(provider.Properties{}))

	long := strings.Repeat("a", 64)
	bad := map[string][]string{
		"ID":            {"", "-a", "a-", "a b", "a/b", "../a", "a\n", "ä", "a.b", long},
		"Name":          {"", "-a", "a-", "a b", "a_b", "a..b", ".a", "a.", "a\n", "$(id)", "ä", long, strings.Repeat("a.", 127) + "a"},
		"AuthorizedKey": {"x", publicKey + "\n" + publicKey, "command=\"id\" " + publicKey, publicKey + "\r", "\n" + publicKey, publicKey + "\x00"},
	}
	for field, values := range bad {
		for _, value := range values {
			spec := good
			switch field {
			case "ID":
				spec.ID = value
			case "Name":
				spec.Name = value
			case "AuthorizedKey":
				spec.AuthorizedKey = value
			}
			err := spec.Validate(provider.Properties{})
			require.ErrorIs(t, err, provider.ErrInvalid, "%s %q", field, value)
			require.ErrorContains(t, err, field+" must be")
		}
	}
}

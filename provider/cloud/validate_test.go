package cloud_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	_, public := newHostKey(t)
	properties := provider.Properties{InjectsHostKey: true}
	spec := provider.Spec{ID: "s1", Name: "web-1", AuthorizedKey: public}
	require.NoError(t, cloud.Validate(spec, properties))

	none := spec
	none.AuthorizedKey = ""
	require.NoError(t, none.Validate(properties), "elsewhere a machine may have a key already")
	err := cloud.Validate(none, properties)
	require.ErrorIs(t, err, provider.ErrInvalid)
	require.ErrorContains(t, err, "AuthorizedKey must be given")

	spec.Backups = true
	require.ErrorIs(t, cloud.Validate(spec, properties), provider.ErrInvalid, "what the provider does not offer")
}

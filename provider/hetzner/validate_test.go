package hetzner_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, newWorld(t, fake.Config{}).Validate(t.Context()))

	bad := use(t, fake.New(fake.Config{}), "another")
	err := bad.Validate(t.Context())
	require.ErrorIs(t, err, provider.ErrAuth)
	require.ErrorContains(t, err, "hetzner: ")
	require.NotContains(t, err.Error(), "another", "the token is in no error")

	readOnly := newWorld(t, fake.Config{ReadOnly: true})
	require.ErrorIs(t, readOnly.Validate(t.Context()), provider.ErrPermission)
	_, err = readOnly.List(t.Context())
	require.NoError(t, err, "it may read")
}

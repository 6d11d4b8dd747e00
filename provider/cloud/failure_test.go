package cloud_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestFailure(t *testing.T) {
	t.Parallel()
	told := errors.New("422: sold out")
	for advice, text := range map[string]string{
		"":          provider.ErrCapacity.Error() + ": 422: sold out",
		"try later": provider.ErrCapacity.Error() + ": 422: sold out: try later",
	} {
		err := cloud.Failure(provider.ErrCapacity, told, advice)
		require.EqualError(t, err, text)
		require.ErrorIs(t, err, provider.ErrCapacity)
		require.ErrorIs(t, err, told)
	}
}

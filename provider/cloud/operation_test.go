package cloud_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// What has begun waits for its place, before what has not.
func TestOperation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const every = 5 * time.Second
		limiter := cloud.NewLimiter(cloud.Limits{Every: every})
		limiter.Seen(1, time.Now().Add(every))
		operation := cloud.Operation(t.Context())
		require.Equal(t, operation, cloud.Operation(operation), "a part of an operation is no other")
		done, err := limiter.Take(operation)
		require.NoError(t, err)
		limiter.Seen(0, time.Now().Add(every))
		done()

		_, err = limiter.Take(cloud.Operation(t.Context()))
		require.ErrorIs(t, err, provider.ErrRateLimit, "the first of another does not wait")
		began := time.Now()
		for n := range 6 {
			done, err = limiter.Take(operation)
			require.NoError(t, err, "request %d", n)
			limiter.Seen(0, time.Now().Add(every))
			done()
		}
		require.Equal(t, 6*every, time.Since(began))

		limiter.Seen(0, time.Now().Add(time.Hour))
		_, err = limiter.Take(operation)
		require.ErrorIs(t, err, provider.ErrRateLimit, "not for ever")
	})
}

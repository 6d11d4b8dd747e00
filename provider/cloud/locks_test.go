package cloud_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestLocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var locks cloud.Locks
		unlock, err := locks.Lock(t.Context(), "a")
		require.NoError(t, err)
		other, err := locks.Lock(t.Context(), "b")
		require.NoError(t, err, "another name has another lock")
		other()

		ctx, cancel := context.WithCancel(t.Context())
		gaveUp, had := make(chan error, 1), make(chan func(), 1)
		go func() {
			_, err := locks.Lock(ctx, "a")
			gaveUp <- err
		}()
		go func() {
			again, _ := locks.Lock(t.Context(), "a")
			had <- again
		}()
		synctest.Wait()
		require.Empty(t, had, "one at a time")
		cancel()
		require.ErrorIs(t, <-gaveUp, context.Canceled)
		synctest.Wait()
		require.Empty(t, had)
		unlock()
		unlock() // is of no effect
		again := <-had
		again()
		unlock, err = locks.Lock(t.Context(), "a")
		require.NoError(t, err)
		unlock()
	})
}

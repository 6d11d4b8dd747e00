package filelock_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/filelock"
)

func TestAcquireExcludes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	file := filepath.Join(t.TempDir(), "sub", "lock")
	var wg sync.WaitGroup
	var holders, most atomic.Int32
	for range 20 {
		wg.Go(func() {
			held, err := filelock.Acquire(context.Background(), file, "a")
			if err != nil {
				t.Error(err)
				return
			}
			most.Store(max(most.Load(), holders.Add(1)))
			runtime.Gosched()
			holders.Add(-1)
			held.Release()
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, most.Load())
}

func TestAcquireHonoursContextAndName(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux")
	}
	file := filepath.Join(t.TempDir(), "lock")
	a, err := filelock.Acquire(t.Context(), file, "a")
	require.NoError(t, err)
	b, err := filelock.Acquire(t.Context(), file, "b")
	require.NoError(t, err, "another name is another lock")
	b.Release()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = filelock.Acquire(ctx, file, "a")
	require.ErrorIs(t, err, context.DeadlineExceeded)

	a.Release()
	again, err := filelock.Acquire(t.Context(), file, "a")
	require.NoError(t, err)
	again.Release()
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Zero(t, info.Size(), "locks leave nothing in the file")
}

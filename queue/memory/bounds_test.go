package memory_test

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/memory"
)

// Not parallel: it measures the heap of the whole process.
func TestACrowdLeavesNoMemoryBehind(t *testing.T) {
	const jobs = 200_000
	q := memory.New(memory.Config{})
	before := heapInUse()
	for i := range jobs {
		job := queue.Job{ID: strconv.Itoa(i), Pool: "p"}
		if i%2 == 0 {
			job.RunAt = time.Now()
		}
		require.NoError(t, q.Enqueue(t.Context(), job))
	}
	require.Greater(t, heapInUse()-before, int64(10<<20), "the measurement sees the crowd")

	var left sync.WaitGroup
	left.Add(jobs)
	stop := run(t, q, queue.Pools{"p": 2}, func(context.Context, queue.Job) error {
		left.Done()
		return nil
	})
	left.Wait()
	stop()
	require.Less(t, heapInUse()-before, int64(1<<19))
	runtime.KeepAlive(q)
}

func heapInUse() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

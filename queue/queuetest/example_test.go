package queuetest_test

import (
	"testing"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/queue/queuetest"
)

// An adapter's tests call the suite and its benchmarks.
func Example() {
	testQueue := func(t *testing.T) {
		const drain = 500 * time.Millisecond
		queuetest.Test(t, func(*testing.T) queue.Queue {
			return memory.New(memory.Config{DrainTimeout: drain})
		}, &queuetest.Options{DrainTimeout: drain})
	}
	benchmarkQueue := func(b *testing.B) {
		queuetest.Benchmark(b, func(*testing.B) queue.Queue { return memory.New(memory.Config{}) })
	}
	_, _ = testQueue, benchmarkQueue
}

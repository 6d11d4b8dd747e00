package memory_test

import (
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	opts := &queuetest.Options{DrainTimeout: 300 * time.Millisecond}
	queuetest.Test(t, func(*testing.T) queue.Queue {
		return memory.New(memory.Config{DrainTimeout: opts.DrainTimeout, Logger: slog.New(slog.DiscardHandler)})
	}, opts)
}

func BenchmarkQueue(b *testing.B) {
	queuetest.Benchmark(b, func(*testing.B) queue.Queue { return memory.New(memory.Config{}) })
}

package river_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/queuetest"
	"github.com/seed-797f2c2c/forge/queue/river"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	t.Parallel()
	opts := &queuetest.Options{DrainTimeout: 2 * time.Second}
	queuetest.Test(t, func(t *testing.T) queue.Queue {
		return newQueue(t, river.Config{DrainTimeout: opts.DrainTimeout})
	}, opts)
}

func BenchmarkQueue(b *testing.B) {
	queuetest.Benchmark(b, func(b *testing.B) queue.Queue { return newQueue(b, river.Config{}) })
}

// newQueue fills in what a config lacks, and migrates.
func newQueue(t testing.TB, cfg river.Config) *river.Queue {
	t.Helper()
	if cfg.Pool == nil {
		url, schema := pgtest.Schema(t)
		cfg.Pool, cfg.Schema = pgtest.Pool(t, url), schema
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	q, err := river.New(cfg)
	require.NoError(t, err)
	require.NoError(t, q.Migrate(t.Context()))
	return q
}

// run starts a Run that ends with stop, or with the test.
func run(t testing.TB, q *river.Queue, pools queue.Pools, handle queue.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx, pools, handle) }()
	stop = func() {
		cancel()
		require.NoError(t, <-ended)
		ended <- nil
	}
	t.Cleanup(stop)
	return stop
}

// report is a Handler that sends each job.
func report(ch chan<- queue.Job) queue.Handler {
	return func(_ context.Context, job queue.Job) error {
		ch <- job
		return nil
	}
}

// count counts rows of the table of jobs.
func count(t testing.TB, pool *pgxpool.Pool, schema, where string, args ...any) (n int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(context.WithoutCancel(t.Context()),
		"SELECT count(*) FROM "+schema+".river_job WHERE "+where, args...).Scan(&n))
	return n
}

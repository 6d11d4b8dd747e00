package river_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	upstream "github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/river"
)

// What both sides of a comparison work with.
const benchWorkers, batch, perRound = 8, 100, 500

// bare is River without an adapter, set as the adapter sets it.
type bare struct {
	client *upstream.Client[pgx.Tx]
	heard  atomic.Pointer[func()]
}

type bareArgs struct {
	ID string `json:"id" river:"unique"`
}

func (bareArgs) Kind() string { return "bare" }

type bareWorker struct {
	upstream.WorkerDefaults[bareArgs]
	b *bare
}

func (w *bareWorker) Work(context.Context, *upstream.Job[bareArgs]) error {
	(*w.b.heard.Load())()
	return nil
}

// newBare starts a client whose tables are those of an adapter.
func newBare(b *testing.B, pool *pgxpool.Pool, schema string, cooldown time.Duration) *bare {
	bare := &bare{}
	workers := upstream.NewWorkers()
	upstream.AddWorker(workers, &bareWorker{b: bare})
	c, err := upstream.NewClient(riverpgxv5.New(pool), &upstream.Config{
		Schema: schema, Workers: workers, FetchCooldown: cooldown, MaxAttempts: 1, JobTimeout: time.Hour,
		RescueStuckJobsAfter: 2 * time.Hour, Logger: slog.New(slog.DiscardHandler),
		Queues: map[string]upstream.QueueConfig{"default": {MaxWorkers: benchWorkers}},
	})
	require.NoError(b, err)
	require.NoError(b, c.Start(context.WithoutCancel(b.Context())))
	b.Cleanup(func() { require.NoError(b, c.Stop(context.Background())) })
	bare.client = c
	return bare
}

func (b *bare) enqueue(ctx context.Context, ids ...string) error {
	all := make([]upstream.InsertManyParams, len(ids))
	for i, id := range ids {
		all[i] = upstream.InsertManyParams{Args: bareArgs{id}, InsertOpts: &upstream.InsertOpts{UniqueOpts: upstream.UniqueOpts{
			ByArgs: true, ByState: []rivertype.JobState{
				rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
				rivertype.JobStateRunning, rivertype.JobStateScheduled,
			},
		}}}
	}
	_, err := b.client.InsertMany(ctx, all)
	return err
}

// side is one of the two that are compared: how it enqueues, and whom it tells
// that a job has come to its handler.
type side struct {
	name    string
	enqueue func(ctx context.Context, ids ...string) error
	heard   *atomic.Pointer[func()]
}

// sides start both, in two schemas of one database.
func sides(b *testing.B, bareCooldown time.Duration) (bareRiver, forge side) {
	url, schema := pgtest.Schema(b)
	pool := pgtest.Pool(b, url)
	q := newQueue(b, river.Config{Pool: pool, Schema: schema})
	var heard atomic.Pointer[func()]
	run(b, q, queue.Pools{"default": benchWorkers}, func(context.Context, queue.Job) error {
		(*heard.Load())()
		return nil
	})
	enqueue := func(ctx context.Context, ids ...string) error {
		jobs := make([]queue.Job, len(ids))
		for i, id := range ids {
			jobs[i] = queue.Job{ID: id, Kind: "bench", Pool: "default"}
		}
		return q.Enqueue(ctx, jobs...)
	}
	_, other := pgtest.Schema(b)
	newQueue(b, river.Config{Pool: pool, Schema: other}) // for its tables
	plain := newBare(b, pool, other, bareCooldown)
	return side{"river", plain.enqueue, &plain.heard}, side{"forge", enqueue, &heard}
}

// BenchmarkThroughput compares the adapter with River itself, with the same
// settings: rounds of jobs that do nothing, enqueued by the hundred while they
// are worked on. The two take turns, so that both see the same machine. ratio is
// how many jobs a second the adapter does for each one of River's, in the median
// of the rounds.
func BenchmarkThroughput(b *testing.B) {
	bareRiver, forge := sides(b, 2*time.Millisecond)
	var took [2]time.Duration
	var ratios []float64
	b.ResetTimer()
	for n := 0; n < b.N; n += perRound {
		river, ours := round(b, bareRiver, n), round(b, forge, n)
		ratios = append(ratios, river.Seconds()/ours.Seconds())
		took[0], took[1] = took[0]+river, took[1]+ours
	}
	b.StopTimer()
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(len(ratios)*perRound)/took[0].Seconds(), "river-jobs/s")
	b.ReportMetric(float64(len(ratios)*perRound)/took[1].Seconds(), "forge-jobs/s")
}

// round enqueues jobs and waits until all were worked on.
func round(b *testing.B, s side, n int) time.Duration {
	var left atomic.Int64
	left.Store(perRound)
	done := make(chan struct{})
	heard := func() {
		if left.Add(-1) == 0 {
			close(done)
		}
	}
	s.heard.Store(&heard)
	begin := time.Now()
	ids := make([]string, 0, batch)
	for i := range perRound {
		ids = append(ids, fmt.Sprint(n+i))
		if len(ids) == batch {
			require.NoError(b, s.enqueue(b.Context(), ids...))
			ids = ids[:0]
		}
	}
	<-done
	return time.Since(begin)
}

// BenchmarkLatency measures the time from Enqueue to the handler of a job that
// comes 20 ms after another was asked for, through the adapter and through River
// with its own settings.
func BenchmarkLatency(b *testing.B) {
	bareRiver, forge := sides(b, upstream.FetchCooldownDefault)
	for _, s := range []side{bareRiver, forge} {
		b.Run(s.name, func(b *testing.B) {
			took := make([]time.Duration, b.N)
			arrived := make(chan struct{}, 1)
			heard := func() { arrived <- struct{}{} }
			s.heard.Store(&heard)
			gap := time.NewTicker(20 * time.Millisecond)
			defer gap.Stop()
			b.ResetTimer()
			for i := range took {
				<-gap.C
				begin := time.Now()
				require.NoError(b, s.enqueue(b.Context(), fmt.Sprint(b.N, ".", i)))
				<-arrived
				took[i] = time.Since(begin)
			}
			b.StopTimer()
			slices.Sort(took)
			ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
			b.ReportMetric(ms(took[len(took)/2]), "p50-ms")
			b.ReportMetric(ms(took[len(took)*99/100]), "p99-ms")
		})
	}
}

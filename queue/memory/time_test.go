package memory_test

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/memory"
)

// run starts a Run; stop ends it and waits.
func run(t require.TestingT, q queue.Queue, pools queue.Pools, handle queue.Handler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx, pools, handle) }()
	return func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

func TestJobsRunAtTheirTimeToTheNanosecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(memory.Config{})
		got := make(map[string]time.Duration)
		begin := time.Now()
		defer run(t, q, queue.Pools{"p": 1}, func(_ context.Context, job queue.Job) error {
			got[job.ID] = time.Since(begin)
			return nil
		})()
		for _, d := range []time.Duration{24 * time.Hour, 3, time.Minute, time.Minute + 1, 0, -time.Hour} {
			require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: d.String(), Pool: "p", RunAt: begin.Add(d)}))
		}
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		require.Equal(t, map[string]time.Duration{
			"24h0m0s": 24 * time.Hour, "3ns": 3, "1m0s": time.Minute, "1m0.000000001s": time.Minute + 1, "0s": 0, "-1h0m0s": 0,
		}, got)
	})
}

// The order of a pool is by RunAt, then by Enqueue, however jobs are mixed.
func TestOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		offsets := rapid.SliceOfN(rapid.IntRange(-3, 4), 0, 50).Draw(rt, "offsets") // 4 is no RunAt
		var jobs, got []queue.Job
		var begin time.Time
		synctest.Test(t, func(t *testing.T) {
			q := memory.New(memory.Config{})
			begin = time.Now()
			for i, offset := range offsets {
				job := queue.Job{ID: strconv.Itoa(i), Pool: "p"}
				if offset < 4 {
					job.RunAt = begin.Add(time.Duration(offset) * time.Second).UTC()
				}
				jobs = append(jobs, job)
			}
			require.NoError(t, q.Enqueue(t.Context(), jobs...))
			time.Sleep(10 * time.Second)
			stop := run(t, q, queue.Pools{"p": 1}, func(_ context.Context, job queue.Job) error {
				got = append(got, job)
				return nil
			})
			synctest.Wait()
			stop()
		})
		slices.SortStableFunc(jobs, func(a, b queue.Job) int { return due(a, begin).Compare(due(b, begin)) })
		require.Equal(rt, jobs, got)
	})
}

func due(job queue.Job, enqueued time.Time) time.Time {
	if job.RunAt.IsZero() {
		return enqueued
	}
	return job.RunAt
}

func TestDefaultDrainTimeout(t *testing.T) {
	t.Parallel()
	for configured, want := range map[time.Duration]time.Duration{0: 10 * time.Second, time.Hour: time.Hour, -1: 0} {
		synctest.Test(t, func(t *testing.T) {
			q := memory.New(memory.Config{DrainTimeout: configured})
			stop := run(t, q, queue.Pools{"p": 1}, func(ctx context.Context, _ queue.Job) error {
				<-ctx.Done()
				return nil
			})
			require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a", Pool: "p"}))
			synctest.Wait()
			begin := time.Now()
			stop()
			require.Equal(t, want, time.Since(begin))
		})
	}
}

// A Run that ends while jobs wait leaves none behind for the Run beside it.
func TestAnotherRunTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(memory.Config{})
		begin := time.Now()
		var got []string
		stopFirst := run(t, q, queue.Pools{"p": 1}, func(context.Context, queue.Job) error { return nil })
		synctest.Wait()
		defer run(t, q, queue.Pools{"p": 1}, func(_ context.Context, job queue.Job) error {
			got = append(got, job.ID)
			return nil
		})()
		require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a", Pool: "p", RunAt: begin.Add(time.Hour)}))
		stopFirst()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"a"}, got)
	})
}

func TestAHandlerThatEndsItsGoroutineKeepsNoSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(memory.Config{})
		ran := 0
		defer run(t, q, queue.Pools{"p": 1}, func(context.Context, queue.Job) error {
			ran++
			runtime.Goexit()
			return nil
		})()
		for range 3 { // the ID is free again after each
			require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a", Pool: "p"}, queue.Job{ID: "b", Pool: "p"}))
			synctest.Wait()
		}
		require.Equal(t, 6, ran)
	})
}

func TestPanicsAndErrorsAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		q := memory.New(memory.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		stop := run(t, q, queue.Pools{"p": 1}, func(_ context.Context, job queue.Job) error {
			if job.ID == "1" {
				panic("out of cheese")
			}
			return context.DeadlineExceeded
		})
		require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "1", Kind: "k", Pool: "p"}, queue.Job{ID: "2", Kind: "k", Pool: "p"}))
		synctest.Wait()
		stop()
		for _, want := range []string{"out of cheese", "time_test.go", "job=1", "job=2", "context deadline exceeded", "kind=k", "pool=p"} {
			require.Contains(t, log.String(), want)
		}
	})
}

func TestEnqueueTakesAllOrNone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(memory.Config{})
		for _, bad := range []queue.Job{{Pool: "p"}, {ID: "a"}} {
			require.Error(t, q.Enqueue(t.Context(), queue.Job{ID: "good", Pool: "p"}, bad))
		}
		defer run(t, q, queue.Pools{"p": 1, "idle": 0, "wrong": -1}, func(_ context.Context, job queue.Job) error {
			t.Errorf("got %v", job)
			return nil
		})()
		synctest.Wait()
	})
}

// The values of Run's context reach the handlers; its end does not.
func TestHandlersGetTheValuesOfRun(t *testing.T) {
	t.Parallel()
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(memory.Config{})
		require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a", Pool: "p"}))
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		require.NoError(t, q.Run(ctx, queue.Pools{"p": 1}, func(ctx context.Context, _ queue.Job) error {
			cancel()
			require.NoError(t, ctx.Err())
			require.Equal(t, "value", ctx.Value(key{}))
			return nil
		}))
	})
}

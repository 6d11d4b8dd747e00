package queuetest

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/queue"
)

// hold is a Handler that reports each job and keeps it until release is closed,
// or until the end of a test that failed.
func hold(started chan<- string, release <-chan struct{}) queue.Handler {
	return func(ctx context.Context, job queue.Job) error {
		started <- job.Pool
		select {
		case <-release:
		case <-ctx.Done():
		}
		return nil
	}
}

// inPool puts jobs in a pool.
func inPool(pool string, jobs []queue.Job) []queue.Job {
	for i := range jobs {
		jobs[i].Pool = pool
	}
	return jobs
}

func keepsLimits(f *fixture) {
	const limit, jobs = 3, 30
	var mu sync.Mutex
	var running, most int
	step := make(chan struct{})
	started := make(chan string, jobs)
	holding := hold(started, step)
	f.run(queue.Pools{"default": limit}, func(ctx context.Context, job queue.Job) error {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		err := holding(ctx, job)
		mu.Lock()
		running--
		mu.Unlock()
		return err
	})
	f.enqueue(ids("job", jobs)...)
	for range limit {
		recv(f, started, "as many jobs as the limit allows")
	}
	silent(f, started, "more jobs run than the limit allows")
	close(step)
	for range jobs - limit {
		recv(f, started, "the rest of the jobs")
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(f, limit, most)
}

func keepsPoolsApart(f *fixture) {
	started, release := make(chan string, 20), make(chan struct{})
	f.run(queue.Pools{"slow": 2, "fast": 1}, hold(started, release))
	defer close(release)
	f.enqueue(inPool("slow", ids("slow", 10))...)
	for range 2 {
		require.Equal(f, "slow", recv(f, started, "the slow pool to be full"))
	}
	f.enqueue(inPool("fast", ids("fast", 1))...)
	require.Equal(f, "fast", recv(f, started, "a job in a pool beside a full one"))
}

func leavesOtherPools(f *fixture) {
	mine, others := make(chan string, 2), make(chan string, 2)
	f.run(queue.Pools{"default": 2}, report(mine))
	f.enqueue(queue.Job{ID: "other.1", Pool: "other"}, queue.Job{ID: "mine.1"})
	require.Equal(f, "mine.1", recv(f, mine, "the job of the pool that is worked on"))
	silent(f, mine, "a job of another pool came")
	f.run(queue.Pools{"other": 1}, report(others))
	require.Equal(f, "other.1", recv(f, others, "the job that waited for its pool"))
}

func drainFinishes(f *fixture) {
	started, release, ended := make(chan string, 1), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(f.Context())
	returned := make(chan error, 1)
	go func() {
		returned <- f.q.Run(ctx, queue.Pools{"default": 1}, func(ctx context.Context, job queue.Job) error {
			started <- job.ID
			<-release
			ended <- ctx.Err()
			return nil
		})
	}()
	f.enqueue(queue.Job{ID: "a.1"})
	recv(f, started, "the job")
	cancel()
	// Half of the drain time at most, so that a slow machine does not overrun it.
	select {
	case <-returned:
		require.FailNow(f, "Run returned while a job was running")
	case <-time.After(min(f.opts.Quiet, f.opts.DrainTimeout/2)):
	}
	close(release)
	require.NoError(f, recv(f, ended, "the end of the job"), "the context of a job lives through the drain time")
	require.NoError(f, recv(f, returned, "the return of Run"))
}

func drainCancels(f *fixture) {
	started := make(chan string, 10)
	ctx, cancel := context.WithCancel(f.Context())
	returned, ended := make(chan error, 1), make(chan time.Time, 1)
	go func() {
		returned <- f.q.Run(ctx, queue.Pools{"default": 1, "other": 1}, func(ctx context.Context, job queue.Job) error {
			started <- job.ID
			<-ctx.Done()
			ended <- time.Now()
			return ctx.Err()
		})
	}()
	f.enqueue(queue.Job{ID: "running.1"})
	require.Equal(f, "running.1", recv(f, started, "the job"))
	f.enqueue(queue.Job{ID: "waiting.1"})
	stopped := time.Now()
	cancel()
	at := recv(f, ended, "the cancelled context of the job")
	require.GreaterOrEqual(f, at.Sub(stopped), f.opts.DrainTimeout, "jobs are cancelled after the drain time")
	require.NoError(f, recv(f, returned, "the return of Run"))
	f.enqueue(queue.Job{ID: "late.1", Pool: "other"})
	silent(f, started, "a job was taken after the context of Run was done")
}

func goesOn(f *fixture) {
	first, second := make(chan string, 1), make(chan string, 1)
	stop := f.run(queue.Pools{"default": 1}, report(first))
	f.enqueue(queue.Job{ID: "a.1"})
	recv(f, first, "a job in the first Run")
	stop()
	f.enqueue(queue.Job{ID: "b.1"})
	f.run(queue.Pools{"default": 1}, report(second))
	require.Equal(f, "b.1", recv(f, second, "a job in the second Run"))
}

func sharesRuns(f *fixture) {
	started, release := make(chan string, 20), make(chan struct{})
	var stops []func()
	for range 2 {
		stops = append(stops, f.run(queue.Pools{"default": 2}, hold(started, release)))
	}
	f.enqueue(ids("job", 8)...)
	for range 4 {
		recv(f, started, "both Runs to work at their limit")
	}
	silent(f, started, "more jobs run than both limits allow")
	close(release)
	for range 4 {
		recv(f, started, "the rest of the jobs")
	}
	stops[0]()
	f.enqueue(ids("more", 3)...)
	for range 3 {
		recv(f, started, "jobs in the Run that is left")
	}
}

package river

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/seed-797f2c2c/forge/queue"
)

type client = river.Client[pgx.Tx]

// fetchCooldown is the pause between two looks into a pool. River's default of
// 100 ms is also the time that a job waits which comes shortly after another, and
// allows a worker ten jobs a second.
const fetchCooldown = 2 * time.Millisecond

// Run works on jobs until ctx is done, as queue.Queue says. The contexts of
// handlers carry the values of ctx. Pools with a limit below 1 are not worked on.
// Runs of any process share the jobs. An error is one of the beginning: the
// database cannot be reached, or a pool has a name that River does not take.
func (q *Queue) Run(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
	queues := make(map[string]river.QueueConfig)
	for name, limit := range pools {
		if limit > 0 {
			queues[name] = river.QueueConfig{MaxWorkers: min(limit, river.QueueNumWorkersMax)}
		}
	}
	if len(queues) == 0 {
		<-ctx.Done()
		return nil
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{handle: handle, timeout: q.cfg.Timeout}); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	c, err := river.NewClient(q.driver, &river.Config{
		Schema:            q.cfg.Schema,
		Queues:            queues,
		Workers:           workers,
		FetchCooldown:     fetchCooldown,
		FetchPollInterval: q.cfg.PollInterval,
		PollOnly:          q.cfg.PollOnly,
		SoftStopTimeout:   max(q.cfg.DrainTimeout, 1), // none at all would be without end
		ErrorHandler:      failures{q.cfg.Logger},
		Logger:            q.logger(),
	})
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if err := c.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("run: %w", err)
	}
	<-c.Stopped()
	return nil
}

// worker gives jobs to a handler.
type worker struct {
	river.WorkerDefaults[wakeUp]
	handle  queue.Handler
	timeout time.Duration
}

// Timeout is finite, as a job without one is never cleared away.
func (w *worker) Timeout(*river.Job[wakeUp]) time.Duration { return w.timeout }

// Work keeps from River what kind of error it was, and passes on what it says: a
// job that was cancelled by the end of its client would be run again.
func (w *worker) Work(ctx context.Context, job *river.Job[wakeUp]) error {
	if err := w.handle(ctx, job.Args.job()); err != nil {
		return errors.New(err.Error())
	}
	return nil
}

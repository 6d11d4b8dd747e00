package river

import (
	"context"
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
const fetchCooldown = time.Millisecond

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
	if err := river.AddWorkerSafely(workers, &worker{handle: handle, timeout: q.cfg.Timeout, log: q.cfg.Logger}); err != nil {
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
		Logger:            q.logger(),
	})
	if err != nil {
		return fmt.Errorf("run: %w", err)
	}
	switch err := c.Start(ctx); {
	case err == nil:
		<-c.Stopped()
	case ctx.Err() == nil: // else it is over before it has begun
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

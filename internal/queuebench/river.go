package queuebench

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	upstream "github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"github.com/seed-797f2c2c/forge/queue"
)

// Pool is where all jobs are.
const Pool = "default"

// Queue is a side of a queue of forge's.
func Queue(ctx context.Context, q queue.Queue, workers int) *Side {
	return Start(ctx,
		func(ctx context.Context, ids []string) error {
			jobs := make([]queue.Job, len(ids))
			for i, id := range ids {
				jobs[i] = queue.Job{ID: id, Kind: "bench", Pool: Pool}
			}
			return q.Enqueue(ctx, jobs...)
		},
		func(ctx context.Context, heard func(string)) error {
			return q.Run(ctx, queue.Pools{Pool: workers}, func(_ context.Context, job queue.Job) error {
				heard(job.ID)
				return nil
			})
		})
}

type bareArgs struct {
	ID string `json:"id" river:"unique"`
}

func (bareArgs) Kind() string { return "bare" }

type bareWorker struct {
	upstream.WorkerDefaults[bareArgs]
	heard func(string)
}

func (w *bareWorker) Work(_ context.Context, job *upstream.Job[bareArgs]) error {
	w.heard(job.Args.ID)
	return nil
}

// River is a side of River without an adapter, set as forge's adapter sets it but
// for the given. The schema has River's tables.
func River(ctx context.Context, pool *pgxpool.Pool, schema string, workers int, cooldown time.Duration) (*Side, error) {
	worker := &bareWorker{}
	all := upstream.NewWorkers()
	upstream.AddWorker(all, worker)
	client, err := upstream.NewClient(riverpgxv5.New(pool), &upstream.Config{
		Schema: schema, Workers: all, FetchCooldown: cooldown, MaxAttempts: 1, JobTimeout: time.Hour,
		RescueStuckJobsAfter: 2 * time.Hour, Logger: slog.New(slog.DiscardHandler),
		Queues: map[string]upstream.QueueConfig{Pool: {MaxWorkers: workers}},
	})
	if err != nil {
		return nil, err
	}
	once := &upstream.InsertOpts{UniqueOpts: upstream.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
		rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
	return Start(ctx,
		func(ctx context.Context, ids []string) error {
			jobs := make([]upstream.InsertManyParams, len(ids))
			for i, id := range ids {
				jobs[i] = upstream.InsertManyParams{Args: bareArgs{id}, InsertOpts: once}
			}
			_, err := client.InsertMany(ctx, jobs)
			return err
		},
		func(ctx context.Context, heard func(string)) error {
			worker.heard = heard
			if err := client.Start(context.WithoutCancel(ctx)); err != nil {
				return err
			}
			<-ctx.Done()
			return client.Stop(context.WithoutCancel(ctx))
		}), nil
}

package main

import (
	"context"
	"sync"

	"github.com/seed-797f2c2c/forge/internal/queuebench"
	"github.com/seed-797f2c2c/forge/queue/memory"
)

const (
	queueWorkers = 500
	// queueBatch is how many jobs are enqueued at once.
	queueBatch = 100
	// maxMemory is what 100,000 jobs may take, in seconds: 500,000 in one.
	maxMemory = 0.2
)

const queueBound = "queue-memory"

// queueMemory is jobs that do nothing, enqueued and worked on in this process. The
// floor is a channel, which forgets neither a job's ID nor its time as it knows
// none.
func queueMemory() row { return row{name: queueBound, unit: "s", setup: setUpQueueMemory} }

func setUpQueueMemory(ctx context.Context, l *lab) (*trial, error) {
	side, floor := queuebench.Queue(ctx, memory.New(memory.Config{Logger: l.log}), queueWorkers), channel(ctx)
	ours := l.work(side)
	var last float64
	return &trial{
		ours: func(ctx context.Context) (took float64, err error) {
			last, err = ours(ctx)
			return last, err
		},
		peers:  []peer{{"floor", l.work(floor)}},
		gauges: []gauge{{queueBound, "s", maxMemory, func() (float64, error) { return last, nil }}},
		close:  closing(side, floor),
	}, nil
}

// work measures how long a side takes for the jobs of a lab.
func (l *lab) work(s *queuebench.Side) measure {
	return func(ctx context.Context) (float64, error) {
		took, err := s.Work(ctx, l.jobs, queueBatch)
		return took.Seconds(), err
	}
}

// channel is a side without a queue.
func channel(ctx context.Context) *queuebench.Side {
	jobs := make(chan string, queueWorkers)
	return queuebench.Start(ctx,
		func(_ context.Context, ids []string) error {
			for _, id := range ids {
				jobs <- id
			}
			return nil
		},
		func(ctx context.Context, heard func(string)) error {
			context.AfterFunc(ctx, func() { close(jobs) })
			var workers sync.WaitGroup
			for range queueWorkers {
				workers.Go(func() {
					for id := range jobs {
						heard(id)
					}
				})
			}
			workers.Wait()
			return nil
		})
}

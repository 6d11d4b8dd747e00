// Package queuebench compares queues: what the benchmarks of an adapter and those
// against its peers have in common.
package queuebench

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// Side is one of those that are compared, at work. It does one measurement at a
// time.
type Side struct {
	enqueue func(ctx context.Context, ids []string) error
	heard   atomic.Pointer[func(id string)]
	next    int // number of the next job
	stop    context.CancelFunc
	worked  chan error
}

// Start makes a side of how jobs are enqueued, and of what works on them until its
// context is done: it tells heard of each job.
func Start(ctx context.Context, enqueue func(ctx context.Context, ids []string) error,
	work func(ctx context.Context, heard func(id string)) error,
) *Side {
	s := &Side{enqueue: enqueue, worked: make(chan error, 1)}
	s.hear(func(string) {})
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() { s.worked <- work(ctx, func(id string) { (*s.heard.Load())(id) }) }()
	return s
}

// Close ends the work. To close what is closed does nothing.
func (s *Side) Close() error {
	s.stop()
	err := <-s.worked
	s.worked <- err
	return err
}

func (s *Side) hear(fn func(id string)) { s.heard.Store(&fn) }

// ids are those of the next n jobs.
func (s *Side) ids(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(s.next)
		s.next++
	}
	return ids
}

// Work enqueues jobs that do nothing, so many at once, and returns how long it took
// until all of them were worked on.
func (s *Side) Work(ctx context.Context, jobs, batch int) (time.Duration, error) {
	var left atomic.Int64
	left.Store(int64(jobs))
	done := make(chan struct{})
	s.hear(func(string) {
		if left.Add(-1) == 0 {
			close(done)
		}
	})
	ids := s.ids(jobs)
	begun := time.Now()
	for len(ids) > 0 {
		n := min(batch, len(ids))
		if err := s.enqueue(ctx, ids[:n]); err != nil {
			return 0, err
		}
		ids = ids[n:]
	}
	err := s.await(ctx, done)
	return time.Since(begun), err
}

// Delays enqueues jobs one by one, each at the tick of a clock that follows the
// start of the one before, and returns how long each took to start.
func (s *Side) Delays(ctx context.Context, jobs int, gap time.Duration) ([]time.Duration, error) {
	took := make([]time.Duration, jobs)
	ticks := time.NewTicker(gap)
	defer ticks.Stop()
	for i := range took {
		<-ticks.C
		d, err := s.Work(ctx, 1, 1)
		if err != nil {
			return nil, err
		}
		took[i] = d
	}
	return took, nil
}

// await waits for the last job of a measurement.
func (s *Side) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case err := <-s.worked:
		s.worked <- err
		return fmt.Errorf("the work has ended: %w", err)
	}
}

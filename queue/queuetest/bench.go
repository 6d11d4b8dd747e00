package queuetest

import (
	"context"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
)

// Benchmark measures a queue: Throughput is jobs that do nothing, enqueued in
// batches of 100 by all processors; Backlog is the same jobs, all of them
// enqueued before the first is worked on; Latency is the time from Enqueue to
// the handler of a queue with nothing else to do, as median and 99th percentile.
func Benchmark(b *testing.B, newQueue func(b *testing.B) queue.Queue) {
	b.Run("Throughput", func(b *testing.B) { throughput(b, newQueue(b)) })
	b.Run("Backlog", func(b *testing.B) { backlog(b, newQueue(b)) })
	b.Run("Latency", func(b *testing.B) { latency(b, newQueue(b)) })
}

const batch = 100

func throughput(b *testing.B, q queue.Queue) {
	b.ReportAllocs()
	done := start(b, q, b.N)
	var next atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		jobs := make([]queue.Job, 0, batch)
		for pb.Next() {
			jobs = append(jobs, noop(next.Add(1)))
			if len(jobs) == batch {
				enqueue(b, q, jobs)
				jobs = jobs[:0]
			}
		}
		enqueue(b, q, jobs)
	})
	<-done
	perSecond(b)
}

func backlog(b *testing.B, q queue.Queue) {
	b.ReportAllocs()
	jobs := make([]queue.Job, 0, batch)
	for i := range b.N {
		jobs = append(jobs, noop(int64(i)))
		if len(jobs) == batch || i == b.N-1 {
			enqueue(b, q, jobs)
			jobs = jobs[:0]
		}
	}
	<-start(b, q, b.N)
	perSecond(b)
}

func latency(b *testing.B, q queue.Queue) {
	arrived := make(chan time.Time)
	run(b, q, func(context.Context, queue.Job) error {
		arrived <- time.Now()
		return nil
	})
	took := make([]time.Duration, b.N)
	b.ResetTimer()
	for i := range took {
		begin := time.Now()
		enqueue(b, q, []queue.Job{noop(int64(i))})
		took[i] = (<-arrived).Sub(begin)
	}
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds()), "p99-ns")
}

func noop(n int64) queue.Job {
	return queue.Job{ID: strconv.FormatInt(n, 10) + ".1", Kind: "bench", Pool: "default"}
}

func enqueue(b *testing.B, q queue.Queue, jobs []queue.Job) {
	if err := q.Enqueue(b.Context(), jobs...); err != nil {
		b.Error(err)
	}
}

// start works on jobs that do nothing; the channel is closed after n of them.
func start(b *testing.B, q queue.Queue, n int) <-chan struct{} {
	done := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(n))
	run(b, q, func(context.Context, queue.Job) error {
		if left.Add(-1) == 0 {
			close(done)
		}
		return nil
	})
	return done
}

func run(b *testing.B, q queue.Queue, handle queue.Handler) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx, queue.Pools{"default": 8}, handle) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
}

func perSecond(b *testing.B) {
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

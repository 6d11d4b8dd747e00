package queuetest_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/seed-797f2c2c/forge/queue"
)

// broken replaces methods of a sound queue.
type broken struct {
	queue.Queue
	enqueue func(context.Context, ...queue.Job) error
	run     func(context.Context, queue.Pools, queue.Handler) error
}

func (b broken) Enqueue(ctx context.Context, jobs ...queue.Job) error {
	if b.enqueue == nil {
		return b.Queue.Enqueue(ctx, jobs...)
	}
	return b.enqueue(ctx, jobs...)
}

func (b broken) Run(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
	if b.run == nil {
		return b.Queue.Run(ctx, pools, handle)
	}
	return b.run(ctx, pools, handle)
}

func onEnqueue(change func(*queue.Job)) func(queue.Queue) queue.Queue {
	return func(q queue.Queue) queue.Queue {
		return broken{Queue: q, enqueue: func(ctx context.Context, jobs ...queue.Job) error {
			for i := range jobs {
				change(&jobs[i])
			}
			return q.Enqueue(ctx, jobs...)
		}}
	}
}

func onPools(change func(int) int) func(queue.Queue) queue.Queue {
	return func(q queue.Queue) queue.Queue {
		return broken{Queue: q, run: func(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
			changed := make(queue.Pools)
			for name, n := range pools {
				changed[name] = change(n)
			}
			return q.Run(ctx, changed, handle)
		}}
	}
}

func onRun(wrap func(context.Context, func(context.Context) error) error) func(queue.Queue) queue.Queue {
	return func(q queue.Queue) queue.Queue {
		return broken{Queue: q, run: func(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
			return wrap(ctx, func(ctx context.Context) error { return q.Run(ctx, pools, handle) })
		}}
	}
}

// onHandle does something after each job, in its slot.
func onHandle(after func(ctx context.Context, err error, panicked bool)) func(queue.Queue) queue.Queue {
	return func(q queue.Queue) queue.Queue {
		return broken{Queue: q, run: func(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
			return q.Run(ctx, pools, func(ctx context.Context, job queue.Job) (err error) {
				defer func() { after(ctx, err, recover() != nil) }()
				return handle(ctx, job)
			})
		}}
	}
}

// forgetsIDs makes each ID another one on the way in, and the old one again on
// the way out.
func forgetsIDs(q queue.Queue) queue.Queue {
	var n atomic.Int64
	in := onEnqueue(func(job *queue.Job) { job.ID = fmt.Sprintf("%s#%d", job.ID, n.Add(1)) })(q)
	return broken{Queue: in, run: func(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
		return q.Run(ctx, pools, func(ctx context.Context, job queue.Job) error {
			job.ID, _, _ = strings.Cut(job.ID, "#")
			return handle(ctx, job)
		})
	}}
}

func onePool(q queue.Queue) queue.Queue {
	in := onEnqueue(func(job *queue.Job) { job.Pool = "all" })(q)
	return broken{Queue: in, run: func(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
		total := 0
		for _, n := range pools {
			total += n
		}
		return q.Run(ctx, queue.Pools{"all": total}, handle)
	}}
}

func repeats(q queue.Queue) queue.Queue {
	return broken{Queue: q, run: func(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
		return q.Run(ctx, pools, func(ctx context.Context, job queue.Job) error {
			if err := handle(ctx, job); err == nil {
				return nil
			}
			return handle(ctx, job)
		})
	}}
}

func needsRun(q queue.Queue) queue.Queue {
	var running atomic.Bool
	return broken{
		Queue: q,
		enqueue: func(ctx context.Context, jobs ...queue.Job) error {
			if !running.Load() {
				return nil
			}
			return q.Enqueue(ctx, jobs...)
		},
		run: func(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
			running.Store(true)
			return q.Run(ctx, pools, handle)
		},
	}
}

// cancelsAtOnce gives handlers a context that ends with the one of Run.
func cancelsAtOnce(q queue.Queue) queue.Queue {
	return broken{Queue: q, run: func(stop context.Context, pools queue.Pools, handle queue.Handler) error {
		return q.Run(stop, pools, func(ctx context.Context, job queue.Job) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			defer context.AfterFunc(stop, cancel)()
			return handle(ctx, job)
		})
	}}
}

// Package memory is a [queue.Queue] inside one process. What waits in it is
// gone when the process ends, which the queue's contract allows.
package memory

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
)

// Config configures a Queue. The zero value works.
type Config struct {
	// DrainTimeout is how long Run lets jobs go on after its context is done,
	// before it cancels theirs. Less than zero cancels them at once.
	// Defaults to 10 s.
	DrainTimeout time.Duration
	// Logger hears of handlers that fail or panic. Defaults to slog.Default.
	Logger *slog.Logger
}

// maxIdle is for how many jobs an empty queue keeps room.
const maxIdle = 4096

// Queue is a queue.Queue in memory. In each pool the job with the earliest
// RunAt goes first, and of equal ones the one that was added first.
type Queue struct {
	drain time.Duration
	log   *slog.Logger

	mu    sync.Mutex
	ids   map[string]struct{} // of all jobs that wait or run
	crowd int                 // the most that ids held
	pools map[string]*pool
}

var _ queue.Queue = (*Queue)(nil)

// New makes an empty Queue.
func New(cfg Config) *Queue {
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Queue{
		drain: cfg.DrainTimeout,
		log:   cfg.Logger,
		ids:   make(map[string]struct{}),
		pools: make(map[string]*pool),
	}
}

// Enqueue adds jobs: all, or with an error none. It never blocks. A job needs
// an ID and a Pool; one whose ID waits or runs already is dropped without an
// error, and an ID is forgotten when its job has ended. A job waits for as long
// as no Run works on its pool.
func (q *Queue) Enqueue(ctx context.Context, jobs ...queue.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, job := range jobs {
		if job.ID == "" || job.Pool == "" {
			return errors.New("enqueue: a job needs an ID and a Pool")
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, job := range jobs {
		if _, known := q.ids[job.ID]; known {
			continue
		}
		q.ids[job.ID] = struct{}{}
		p := q.pool(job.Pool)
		p.waiting.add(job, now)
		p.wake()
	}
	return nil
}

// Run works on jobs until ctx is done, as queue.Queue says. The contexts of
// handlers carry the values of ctx. Pools with a limit below 1 are not worked
// on. Several calls of Run share the jobs of the queue.
func (q *Queue) Run(ctx context.Context, pools queue.Pools, handle queue.Handler) error {
	jobCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r := &run{stop: ctx, ctx: jobCtx, handle: handle}

	q.mu.Lock()
	for name, limit := range pools {
		if limit > 0 {
			q.pool(name).join(r, limit)
		}
	}
	q.mu.Unlock()

	<-ctx.Done()
	q.mu.Lock()
	for name := range pools {
		q.pool(name).leave(r)
	}
	q.mu.Unlock()

	drain := time.AfterFunc(q.drain, cancel)
	defer drain.Stop()
	r.workers.Wait()
	return nil
}

// pool returns the pool of a name. The caller holds q.mu.
func (q *Queue) pool(name string) *pool {
	p := q.pools[name]
	if p == nil {
		p = &pool{queue: q}
		q.pools[name] = p
	}
	return p
}

// forget frees the ID of a job that has ended. The caller holds q.mu. Maps do
// not shrink, so one that held a crowd is replaced when it is empty.
func (q *Queue) forget(id string) {
	q.crowd = max(q.crowd, len(q.ids))
	delete(q.ids, id)
	if len(q.ids) == 0 && q.crowd > maxIdle {
		q.ids, q.crowd = make(map[string]struct{}), 0
	}
}

package memory

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
)

// pool is the jobs of one name and those who work on them. Its fields are
// guarded by queue.mu.
type pool struct {
	queue   *Queue
	waiting waiting
	crews   []*crew
	timer   *time.Timer // wakes the pool for the first job that waits
}

// run is one call of Queue.Run, with its context and that of its handlers.
type run struct {
	stop    context.Context //nolint:containedctx // when it is done, no more is taken
	ctx     context.Context //nolint:containedctx // what the handlers get
	handle  queue.Handler
	workers sync.WaitGroup
}

// crew is the workers of one run in one pool. A worker is a goroutine that
// lives for as long as jobs are due.
type crew struct {
	run         *run
	pool        *pool
	limit, busy int
}

func (c *crew) free() bool { return c.busy < c.limit && c.run.stop.Err() == nil }

func (p *pool) join(r *run, limit int) {
	p.crews = append(p.crews, &crew{run: r, pool: p, limit: limit})
	p.wake()
}

// leave needs no wake: a worker of r that finds itself stopped wakes the pool.
func (p *pool) leave(r *run) {
	p.crews = slices.DeleteFunc(p.crews, func(c *crew) bool { return c.run == r })
	if len(p.crews) == 0 && p.timer != nil {
		p.timer.Stop()
	}
}

// wake starts a worker when a job is due and a crew is free, or sets the timer
// for the job that will be due first. A worker that takes a job wakes the pool
// for the next one. With no crew free, the first worker to end its job looks.
func (p *pool) wake() {
	i, first := slices.IndexFunc(p.crews, (*crew).free), p.waiting.first()
	if i < 0 || first == nil {
		return
	}
	if d := time.Until(first.at); d > 0 {
		p.wakeIn(d)
		return
	}
	c := p.crews[i]
	c.busy++
	c.run.workers.Go(c.work)
}

func (p *pool) wakeIn(d time.Duration) {
	if p.timer != nil {
		p.timer.Reset(d)
		return
	}
	p.timer = time.AfterFunc(d, func() {
		p.queue.mu.Lock()
		defer p.queue.mu.Unlock()
		p.wake()
	})
}

// work handles jobs until none is due. A handler may end its goroutine, as
// t.FailNow does: then another worker takes this one's place.
func (c *crew) work() {
	var job queue.Job
	defer func() {
		c.pool.queue.mu.Lock()
		defer c.pool.queue.mu.Unlock()
		c.pool.queue.forget(job.ID)
		c.busy--
		c.pool.wake()
	}()
	for c.next(&job) {
		c.do(job)
	}
}

// next forgets the job that has ended and replaces it by one that is due.
func (c *crew) next(job *queue.Job) bool {
	p := c.pool
	p.queue.mu.Lock()
	defer p.queue.mu.Unlock()
	p.queue.forget(job.ID)
	*job = queue.Job{}
	first := p.waiting.first()
	if first == nil || time.Until(first.at) > 0 || c.run.stop.Err() != nil {
		return false
	}
	*job = p.waiting.take()
	p.wake()
	return true
}

func (c *crew) do(job queue.Job) {
	log := func(msg string, attrs ...slog.Attr) {
		attrs = append(attrs, slog.String("job", job.ID), slog.String("kind", job.Kind), slog.String("pool", job.Pool))
		c.pool.queue.log.LogAttrs(c.run.ctx, slog.LevelError, msg, attrs...)
	}
	defer func() {
		if v := recover(); v != nil {
			log("job panicked", slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(debug.Stack())))
		}
	}()
	if err := c.run.handle(c.run.ctx, job); err != nil {
		log("job failed", slog.Any("error", err))
	}
}

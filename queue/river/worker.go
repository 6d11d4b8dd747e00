package river

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"

	"github.com/seed-797f2c2c/forge/queue"
)

// worker gives jobs to a handler.
type worker struct {
	river.WorkerDefaults[wakeUp]
	handle  queue.Handler
	timeout time.Duration
	log     *slog.Logger
}

// Timeout is finite, as a job without one is never cleared away.
func (w *worker) Timeout(*river.Job[wakeUp]) time.Duration { return w.timeout }

// Work tells River what an error says, but not of what kind it is: a job that
// was cancelled by the end of its client would be run again.
func (w *worker) Work(ctx context.Context, job *river.Job[wakeUp]) (err error) {
	defer func() {
		if v := recover(); v != nil {
			stack := debug.Stack()
			w.write(ctx, job.Args, "job panicked", slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(stack)))
			err = fmt.Errorf("panic: %v\n\n%s", v, stack)
		}
	}()
	if err := w.handle(ctx, job.Args.job()); err != nil {
		w.write(ctx, job.Args, "job failed", slog.Any("error", err))
		return errors.New(err.Error())
	}
	return nil
}

func (w *worker) write(ctx context.Context, job wakeUp, msg string, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("job", job.ID), slog.String("kind", job.Work), slog.String("pool", job.Pool))
	w.log.LogAttrs(ctx, slog.LevelError, msg, attrs...)
}

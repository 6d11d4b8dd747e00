package forge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
)

// maxHandouts is how often an action may be handed out without any progress
// before it fails: what kills its worker each time must not go on for ever.
const maxHandouts = 20

// stuckAfter is how long after its deadline the lease of a handler is still renewed,
// which is more than it takes to stop a run and to write down the end. One that has
// not returned by then ignores its context, and its action goes to another.
const stuckAfter = 2 * settleTimeout

// maxSkew is how far the queue's clock may be ahead of the store's: a wake-up that
// seems to come so little too early is in time.
const maxSkew = time.Second

// Why a handler's context ends.
var (
	errLeaseLost = errors.New("the lease was lost")
	errCancelled = errors.New("the action was cancelled")
	errDeadline  = errors.New("the deadline has passed")
	errShutdown  = errors.New("the worker is shutting down")
)

// held is what this process works on, so that a cancel can be passed on at
// once instead of with the next renewal of a lease.
type held struct {
	mu    sync.Mutex
	pokes map[chan struct{}]bool
}

func newHeld() *held { return &held{pokes: map[chan struct{}]bool{}} }

// add returns a channel that poke sends to, until remove is called.
func (h *held) add() (poked <-chan struct{}, remove func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pokes[ch] = true
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.pokes, ch)
	}
}

// poke makes every holder look at its action now.
func (h *held) poke() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.pokes {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// run works on jobs and sweeps until ctx is done. When something is cancelled, it
// makes this process look at what it works on.
func (c *core) run(ctx context.Context, pools queue.Pools) error {
	if err := c.awaitSealer(ctx); err != nil {
		return err
	}
	var background sync.WaitGroup
	defer background.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	cancels := c.hub.subscribe(func(e *Event) bool {
		return e.Type == EventStatus && e.Subject.Kind == SubjectAction && e.To == string(ActionCancelling)
	})
	defer cancels.close()
	background.Go(func() {
		for cancels.wait(ctx) == nil {
			c.held.poke()
		}
	})
	background.Go(func() { c.sweepAll(ctx, pools) })
	background.Go(func() { c.wakeAll(ctx) })
	background.Go(func() { c.purgeAll(ctx) })
	background.Go(func() { c.resealAll(ctx) })
	return c.Queue.Run(ctx, pools, func(jobCtx context.Context, j queue.Job) error {
		return c.handle(ctx, jobCtx, j)
	})
}

// handle works on one wake-up. The handler's context ends when the lease is
// lost, when the action is cancelled, when its deadline passes, and when the
// queue's drain time is over. What runs detached is left to the next worker as
// soon as this one shuts down.
func (c *core) handle(runCtx, jobCtx context.Context, j queue.Job) error {
	id, epoch, ok := parseJobID(j.ID)
	if !ok {
		return fmt.Errorf("job id %q is not one of forge's", j.ID)
	}
	poked, forget := c.held.add()
	defer forget()
	w, err := c.take(jobCtx, id, epoch)
	if err != nil || w == nil {
		return err
	}
	w.shutdown = runCtx.Done()
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(jobCtx))
	defer cancel(nil)
	defer context.AfterFunc(jobCtx, func() { cancel(errShutdown) })()
	if w.action.Status == ActionCancelling {
		cancel(errCancelled)
	}
	deadline := time.AfterFunc(w.untilDeadline(), func() { cancel(errDeadline) })
	defer deadline.Stop()

	defer w.clean(jobCtx)
	renewed := make(chan struct{})
	renewCtx, stopRenewing := context.WithCancel(context.WithoutCancel(jobCtx))
	defer func() { stopRenewing(); <-renewed }()
	go func() {
		defer close(renewed)
		c.renew(renewCtx, w, poked, cancel)
	}()
	return c.settle(ctx, w, c.protect(ctx, w))
}

// protect calls the handler and turns a panic into a failure.
func (c *core) protect(ctx context.Context, w *work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.Logger.ErrorContext(ctx, "a handler panicked", "action", w.action.ID, "kind", w.action.Kind,
				"panic", w.presentable(ctx, fmt.Sprint(p)), "stack", string(debug.Stack()))
			err = &failure{Failure{Reason: ReasonPanic, Message: fmt.Sprint(p)}}
		}
	}()
	if w.left <= 0 {
		return errDeadline
	}
	if w.action.Kind != KindDeleteServer { // which does so itself, and may go on without
		if err := w.stopStale(ctx); err != nil {
			return err
		}
	}
	return c.jobs[w.action.Kind].run(ctx, w)
}

// take takes an action up, or returns nil when the wake-up is not for now: the
// action is gone or has ended, it was handed out again since, somebody holds
// it, or it waits for a lock.
func (c *core) take(ctx context.Context, id string, epoch int64) (*work, error) {
	var w *work
	err := c.update(ctx, func(t *txn) error {
		w = nil
		asked := time.Now()
		a, err := t.Actions().Get(id)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		now := t.Now()
		if c.foreign(a) || c.jobs[a.Kind].run == nil || a.Status.Ended() || a.Epoch != epoch ||
			a.Holder != "" || a.RunAt.IsZero() || a.RunAt.After(now.Add(maxSkew)) {
			return nil
		}
		if a.Handouts >= maxHandouts {
			if err := leaveRun(t, a); err != nil {
				return err
			}
			return c.fail(t, a, &Failure{Reason: ReasonNoProgress, Stage: a.Stage,
				Message: fmt.Sprintf("handed out %d times without progress", a.Handouts)})
		}
		if a.Kind == KindReboot { // sites may have been made since it was asked for
			if a.Locks, err = allLocks(t, a.Server); err != nil {
				return err
			}
		}
		locks, busy, err := c.lock(t, a)
		if err != nil {
			return err
		}
		if busy != "" {
			a.Epoch++
			a.RunAt, a.Waits = time.Time{}, busy
			return t.Actions().Update(a)
		}
		a.Holder, a.Lease, a.Waits = newID(), now.Add(c.Lease), ""
		if a.Status == ActionPending {
			a.Attempt++
			a.Stage, a.Waiting, a.Tries = "", "", 0
			a.Cursor.Run, a.Cursor.Offset = "", 0
			if a.Started.IsZero() {
				a.Started = now
			}
			a.Deadline = now.Add(a.Timeout)
			if err := c.setStatus(t, a, ActionRunning); err != nil {
				return err
			}
		} else if err := t.Actions().Update(a); err != nil {
			return err
		}
		w = newWork(c, a, locks, a.Deadline.Sub(now), asked)
		return nil
	})
	return w, err
}

// renew keeps the lease, and ends the handler's context when the lease is lost
// or the action is cancelled. A lease counts from when it was asked for, as the
// store counts it from some time after that. Once it is lost, it is not taken back.
func (c *core) renew(ctx context.Context, w *work, poked <-chan struct{}, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(c.Lease / 3)
	defer tick.Stop()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lose := func() { cancel(errLeaseLost); stop() }
	lost := time.AfterFunc(c.Lease-time.Since(w.taken), lose)
	defer lost.Stop()
	stuck := time.AfterFunc(max(w.untilDeadline(), 0)+stuckAfter, lose)
	defer stuck.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-poked:
		}
		asked := time.Now()
		var status ActionStatus
		err := w.update(ctx, func(t *txn, a *Action) error {
			a.Lease = t.Now().Add(c.Lease)
			status = a.Status
			return t.Actions().Update(a)
		})
		switch {
		case errors.Is(err, errLeaseLost):
			cancel(errLeaseLost)
			return
		case ctx.Err() != nil: // the work is done, or lost
			return
		case err != nil:
			c.Logger.WarnContext(ctx, "a lease could not be renewed", "action", w.action.ID, "error", err)
		default:
			lost.Reset(c.Lease - time.Since(asked))
			if status == ActionCancelling {
				cancel(errCancelled)
			}
		}
	}
}

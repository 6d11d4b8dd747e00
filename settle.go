package forge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/sshexec"
)

const (
	// settleTimeout bounds what is done after a handler returned: stopping its
	// run and writing down how it ended.
	settleTimeout = 45 * time.Second
	// stopGrace is how long after its deadline an action may still try to
	// reach the server to stop its run, before its outcome is called unknown.
	stopGrace = time.Minute
)

// errGone is returned by a handler whose record was removed meanwhile: the work
// ends quietly.
var errGone = errors.New("the record is gone")

// settle writes down how the handler's work ended, or that it goes on later.
func (c *core) settle(handlerCtx context.Context, w *work, err error) error {
	cause := context.Cause(handlerCtx)
	if errors.Is(err, errDeadline) {
		cause = errDeadline
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(handlerCtx), settleTimeout)
	defer cancel()

	var wait *waiting
	var limited *provider.RateLimitError
	var settled error
	switch {
	case errors.Is(cause, errLeaseLost), errors.Is(err, errLeaseLost), errors.Is(err, sshexec.ErrFenced):
		c.Logger.WarnContext(ctx, "an action was handed to another worker", "action", w.action.ID)
		return nil
	case err == nil:
		settled = w.finish(ctx)
		if errors.Is(settled, errGone) {
			settled = c.vanished(ctx, w, settled)
		} else if ours(settled) {
			settled = w.fail(ctx, failureOf(settled))
		}
	case errors.Is(cause, errCancelled), errors.Is(cause, errDeadline):
		settled = c.stop(ctx, w, cause, err)
	case errors.Is(err, errShutdown), errors.Is(cause, errShutdown) && unfinished(err):
		settled = w.handBack(ctx, 0, w.action.Waiting)
	case errors.Is(err, errGone):
		settled = c.vanished(ctx, w, err)
	case errors.As(err, &limited):
		settled = w.postpone(ctx, limited)
	case errors.As(err, &wait):
		why := wait.why.Error()
		if !wait.plain {
			why = w.presentable(ctx, why)
		}
		settled = w.handBack(ctx, wait.wait(w.action.Tries), why)
	default:
		settled = c.broken(ctx, w, err)
	}
	if errors.Is(settled, errLeaseLost) {
		return nil
	}
	return settled
}

// halt stops the run of an action that is to end otherwise than by it: only its
// own status ends a run. While the server cannot be asked, the action is handed
// back for another try, until that is given up with an error. The run may be in other
// hands by now, which is looked at first.
func (w *work) halt(ctx context.Context) (status sshexec.RunStatus, again bool, err error) {
	if !w.live {
		return status, false, nil
	}
	if err := w.update(ctx, func(*txn, *Action) error { return nil }); err != nil {
		return status, true, err
	}
	status, err = w.stopRun(ctx)
	var hostKey *sshexec.HostKeyError
	if err == nil || errors.As(err, &hostKey) || w.untilDeadline() <= -stopGrace || w.leaving(ctx) {
		return status, false, err
	}
	wait := waiting{least: time.Second, most: 5 * time.Second}
	return status, true, w.handBack(ctx, wait.wait(w.action.Tries), w.presentable(ctx, err.Error()))
}

// vanished ends work whose record is gone, quietly.
func (c *core) vanished(ctx context.Context, w *work, err error) error {
	if _, again, haltErr := w.halt(ctx); again {
		return haltErr
	}
	return w.end(ctx, func(t *txn, a *Action) error {
		a.Failure = &Failure{Reason: ReasonGone, Stage: a.Stage, Message: err.Error()}
		return c.setStatus(t, a, ActionCancelled)
	})
}

// broken ends work that failed.
func (c *core) broken(ctx context.Context, w *work, err error) error {
	if _, again, haltErr := w.halt(ctx); again {
		return haltErr
	}
	if w.action.Attempt < c.jobs[w.action.Kind].attempts && retryable(err) {
		return w.retry(ctx, err)
	}
	return w.fail(ctx, failureOf(err))
}

// untilDeadline is by this process's own clock, which need not be the store's.
func (w *work) untilDeadline() time.Duration { return w.left - time.Since(w.taken) }

// stop ends work that was cancelled or is out of time. A detached run is
// stopped first, and its status decides.
func (c *core) stop(ctx context.Context, w *work, cause, err error) error {
	ran := w.live
	status, again, haltErr := w.halt(ctx)
	switch {
	case again:
		return haltErr
	case haltErr != nil && w.leaving(ctx):
		// The machine is about to go, and the run with it.
	case haltErr != nil:
		return w.fail(ctx, &Failure{Reason: ReasonUnknown, Stage: w.action.Stage,
			Message: "the server could not be asked what became of the run: " + haltErr.Error()})
	case status.State == sshexec.RunExited && status.ExitCode == 0 && c.jobs[w.action.Kind].final:
		return w.finish(ctx)
	case !ran && errors.Is(err, sshexec.ErrUnknown):
		return w.fail(ctx, failureOf(err))
	}
	if errors.Is(cause, errCancelled) || w.action.Status == ActionCancelling {
		return w.end(ctx, func(t *txn, a *Action) error {
			text := "cancelled"
			if a.Stage != "" {
				text += "; it came as far as: " + a.Stage
			}
			if err := say(t, a, LineSystem, text); err != nil {
				return err
			}
			return c.setStatus(t, a, ActionCancelled)
		})
	}
	f := &Failure{Reason: ReasonTimeout, Stage: w.action.Stage,
		Message: fmt.Sprintf("not done within %s; it came as far as: %s", w.action.Timeout, stageName(w.action))}
	why := w.action.Waiting
	var connect *sshexec.ConnectError
	if why == "" && errors.As(err, &connect) {
		why = fmt.Sprintf("connect to %s: %s", connect.Addr, connect.Stage)
	}
	if why != "" {
		f.Message += "; it waited: " + why
	}
	return w.fail(ctx, f)
}

// leaving reports whether the action's server is gone already, or is being deleted
// with its machine. One that existed before forge stays, and so would its runs.
func (w *work) leaving(ctx context.Context) bool {
	srv, err := w.server(ctx)
	if err != nil {
		return errors.Is(err, errGone)
	}
	return srv.Status == ServerDeleted || srv.Status == ServerDeleting && !w.existing(srv)
}

func stageName(a *Action) string {
	if a.Stage == "" {
		return "its start"
	}
	return a.Stage
}

func (w *work) finish(ctx context.Context) error {
	return w.end(ctx, func(t *txn, a *Action) error {
		if w.done != nil {
			if err := w.done(t); err != nil {
				return err
			}
		}
		return w.setStatus(t, a, ActionFinished)
	})
}

func (w *work) fail(ctx context.Context, f *Failure) error {
	if f.Stage == "" {
		f.Stage = w.action.Stage
	}
	switch f.Reason {
	case ReasonUnreachable, ReasonTimeout, ReasonUnknown, ReasonHostKey: // another may have its address by now
		if w.missing(ctx) {
			f.Reason, f.Message = ReasonGone, "the provider does not have the machine any more: "+f.Message
		}
	}
	f.Message, f.Output = w.presentable(ctx, f.Message), w.presentable(ctx, f.Output)
	return w.end(ctx, func(t *txn, a *Action) error {
		if err := say(t, a, LineError, (&failure{*f}).Error()); err != nil {
			return err
		}
		if w.live {
			if err := leaveRun(t, a); err != nil {
				return err
			}
		}
		return w.core.fail(t, a, f)
	})
}

// missing reports whether the provider has no such machine any more, which is
// then why it did not answer.
func (w *work) missing(ctx context.Context) bool {
	if w.action.Server == "" {
		return false
	}
	srv, p, err := w.machine(ctx)
	if err != nil || srv.ProviderID == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = p.Get(ctx, srv.ProviderID)
	return errors.Is(err, provider.ErrNotFound)
}

// end writes down how the action ended.
func (w *work) end(ctx context.Context, fn func(*txn, *Action) error) error {
	err := w.update(ctx, fn)
	w.ended = err == nil
	return err
}

// handBack gives the slot back, and says why; the action goes on after a while.
func (w *work) handBack(ctx context.Context, after time.Duration, why string) error {
	return w.update(ctx, func(t *txn, a *Action) error {
		a.Tries++
		a.Waiting = why
		now := t.Now()
		at := now.Add(after)
		if at.After(a.Deadline) && a.Deadline.After(now) {
			at = a.Deadline
		}
		w.handOut(t, a, at)
		return t.Actions().Update(a)
	})
}

// retry lets the work start anew after a while; others may have its locks until
// then.
func (w *work) retry(ctx context.Context, err error) error {
	backoff := waiting{least: 2 * time.Second, most: time.Minute}
	if connect := (*sshexec.ConnectError)(nil); errors.As(err, &connect) {
		backoff.least = 5 * time.Second // a machine that restarts needs a while
	}
	said := w.presentable(ctx, err.Error())
	return w.update(ctx, func(t *txn, a *Action) error {
		if a.Status == ActionCancelling { // since the handler returned
			w.handOut(t, a, t.Now())
			return t.Actions().Update(a)
		}
		text := fmt.Sprintf("attempt %d failed and will be repeated: %s", a.Attempt, said)
		if err := say(t, a, LineError, text); err != nil {
			return err
		}
		if err := w.unlock(t, a); err != nil {
			return err
		}
		w.handOut(t, a, t.Now().Add(backoff.wait(a.Attempt-1)))
		return w.setStatus(t, a, ActionPending)
	})
}

package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// runID names the detached run of an attempt.
func (w *work) runID() string { return fmt.Sprintf("%s-%d", w.action.ID, w.action.Attempt) }

// watcher sees each line of a run in the transaction that stores it.
type watcher func(t *txn, a *Action, text string)

// detached starts a run on the server, or attaches to it where an earlier holder
// started it, and stores its output until its end. A lost connection makes the
// action wait for the next try, and the run goes on meanwhile.
func (w *work) detached(ctx context.Context, srv *Server, spec sshexec.RunSpec, watch watcher) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-w.shutdown:
			cancel(errShutdown)
		case <-ctx.Done():
		}
	}()
	client := w.client(srv)
	noted := w.action.Cursor.Run == spec.ID
	if err := w.startsRun(ctx, spec.ID); err != nil {
		return err
	}
	// A script can make its log as large as it likes without a single line in
	// it: no more is read than the lines that are still stored could need.
	spec.MaxLog = w.action.Cursor.Offset + 4*max(w.MaxLog-w.action.Cursor.Bytes, 0) + 16<<20
	status, err := w.deliver(ctx, watch, func(from int64, log io.Writer) (sshexec.RunStatus, error) {
		return client.Attach(ctx, spec, from, log)
	})
	switch {
	case errors.Is(err, errLogFull):
		spec.MaxLog = max(w.action.Cursor.Offset, 1)
		status, err = client.Attach(ctx, spec, spec.MaxLog, io.Discard)
	case err == nil && status.LogSize > spec.MaxLog:
		err = w.say(ctx, fmt.Sprintf("of %d bytes of output no more than %d were read", status.LogSize, spec.MaxLog))
	}
	var connect *sshexec.ConnectError
	var start *sshexec.StartError
	switch {
	case errors.As(err, &start), errors.As(err, &connect) && !noted:
		if err := w.neverStarted(ctx); err != nil {
			return err
		}
		return attachError(ctx, err)
	case err != nil:
		return attachError(ctx, err)
	}
	w.live = false
	return runError(status)
}

// deliver stores what read copies of a run's output.
func (w *work) deliver(ctx context.Context, watch watcher,
	read func(from int64, log io.Writer) (sshexec.RunStatus, error),
) (sshexec.RunStatus, error) {
	secrets, err := w.masker(ctx)
	if err != nil {
		return sshexec.RunStatus{}, err
	}
	log := newLogWriter(ctx, w, secrets.Mask)
	log.watch = watch
	status, err := read(w.action.Cursor.Offset, log)
	if closeErr := log.Close(err == nil); closeErr != nil {
		return status, closeErr
	}
	return status, err
}

// stopStale stops what the last holders of its locks may have left running.
func (w *work) stopStale(ctx context.Context) error {
	if len(w.stale) == 0 || w.leaving(ctx) {
		return nil
	}
	srv, err := w.server(ctx)
	if err != nil {
		return err
	}
	for _, l := range w.stale {
		if _, err := w.client(srv).Stop(ctx, l.Left); err != nil {
			return attachError(ctx, err)
		}
		err := w.update(ctx, func(t *txn, _ *Action) error { return setLeft(t, l.Key, "") })
		if err != nil {
			return err
		}
	}
	w.stale = nil
	return nil
}

// clean removes from the server what the run of an action that ended left
// there, all but its claim. It is no loss where that fails.
func (w *work) clean(ctx context.Context) {
	if !w.ended || w.action.Cursor.Run == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	srv, err := w.server(ctx)
	if err == nil {
		err = w.client(srv).Clean(ctx, w.action.Cursor.Run)
	}
	if err != nil && !errors.Is(err, errGone) {
		w.Logger.InfoContext(ctx, "a run's files were left on its server", "run", w.action.Cursor.Run, "error", err)
	}
}

// startsRun notes the run before it is started, so that whoever takes the
// action up knows that there may be one, and what to mask in its output.
func (w *work) startsRun(ctx context.Context, id string) error {
	if w.action.Cursor.Run == id {
		return nil
	}
	secrets, err := w.freeze(ctx)
	if err != nil {
		return err
	}
	w.live = true
	return w.update(ctx, func(t *txn, a *Action) error {
		a.Cursor.Run, a.Cursor.Offset, a.Secrets = id, 0, secrets
		w.action.Cursor, w.action.Secrets = a.Cursor, secrets
		return t.Actions().Update(a)
	})
}

// neverStarted takes the note back: there is nothing to be asked for or stopped.
func (w *work) neverStarted(ctx context.Context) error {
	w.live = false
	return w.update(context.WithoutCancel(ctx), func(t *txn, a *Action) error {
		a.Cursor.Run = ""
		w.action.Cursor.Run = ""
		return t.Actions().Update(a)
	})
}

// attachError sorts out why the following of a run ended before the run.
func attachError(ctx context.Context, err error) error {
	var start *sshexec.StartError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, sshexec.ErrShrunk):
		return &failure{Failure{Reason: ReasonError, Message: err.Error()}}
	case errors.As(err, &start):
		return &failure{Failure{Reason: ReasonError, Message: err.Error()}}
	}
	return unreachable(err)
}

// runError says how a run ended, or nil when it exited with 0.
func runError(s sshexec.RunStatus) error {
	switch s.State {
	case sshexec.RunExited:
		if s.ExitCode == 0 {
			return nil
		}
		return &failure{Failure{Reason: ReasonExit, ExitCode: s.ExitCode,
			Message: fmt.Sprintf("exit status %d", s.ExitCode)}}
	case sshexec.RunSignaled:
		return &failure{Failure{Reason: ReasonExit, ExitCode: -1, Message: "ended by signal " + s.Signal}}
	case sshexec.RunInterrupted:
		return &failure{Failure{Reason: ReasonInterrupted,
			Message: "the machine stopped in the middle of the run, which is not repeated"}}
	default:
		return &failure{Failure{Reason: ReasonInterrupted, Message: "the run is " + string(s.State)}}
	}
}

// stopRun stops the action's detached run, or keeps it from ever starting, and
// stores what it printed until its end.
func (w *work) stopRun(ctx context.Context) (sshexec.RunStatus, error) {
	srv, err := w.server(ctx)
	if err != nil {
		return sshexec.RunStatus{}, err
	}
	client := w.client(srv).Urgent()
	id := w.action.Cursor.Run
	if _, err := client.Stop(ctx, id); err != nil {
		return sshexec.RunStatus{}, err
	}
	status, err := w.deliver(ctx, nil, func(from int64, log io.Writer) (sshexec.RunStatus, error) {
		return client.Follow(ctx, id, from, log)
	})
	if errors.Is(err, sshexec.ErrShrunk) || errors.Is(err, errLogFull) {
		status, err = client.Status(ctx, id)
	}
	w.live = err != nil
	return status, err
}

// server reads the action's server.
func (w *work) server(ctx context.Context) (srv *Server, err error) {
	err = w.view(ctx, func(tx Tx) error {
		srv, err = tx.Servers().Get(w.action.Server)
		return err
	})
	return srv, err
}

// view reads records that the work is about. Where one is gone, so is the work.
func (w *work) view(ctx context.Context, fn func(Tx) error) error {
	return storeError(ctx, gone(w.Store.View(ctx, fn)))
}

// gone turns a record that is not there any more into the quiet end of the work.
func gone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}

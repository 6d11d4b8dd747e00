package forge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/seed-797f2c2c/forge/internal/lines"
	"github.com/seed-797f2c2c/forge/internal/mask"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// work is an action in the hands of a handler. Its writes carry the epoch of the
// hand-out and are refused once the action was handed out again.
type work struct {
	*core
	action *Action       // as it was when it was taken up, with its cursor kept current
	fence  sshexec.Fence // for the scripts that change the server
	left   time.Duration // until the deadline, when it was taken up
	taken  time.Time     // when that was asked for
	stale  []*Lock       // those of its locks whose last holder may have left a run
	live   bool          // there may be a run whose end is not known
	// shutdown is closed when the worker should leave what runs detached.
	shutdown <-chan struct{}
	// done is committed together with the successful end.
	done  func(*txn) error
	ended bool // it was written down how the action ended

	// hidden masks the secrets in hides: making it takes a while where they are
	// large, and they seldom change. See masker.
	hidden *mask.Masker
	hides  []string
}

func newWork(c *core, a *Action, locks []*Lock, left time.Duration, asked time.Time) *work {
	w := &work{core: c, action: a, left: left, taken: asked, live: a.Cursor.Run != ""}
	for _, l := range locks {
		if w.fence.Key == "" {
			w.fence = sshexec.Fence{Key: l.Key, Epoch: l.Fence}
		}
		if l.Left != "" && l.Left != a.Cursor.Run {
			w.stale = append(w.stale, l)
		}
	}
	return w
}

// update runs fn with the action's row, if the action is still in these hands.
// fn stores the row where it changes it. Where the store fails, the action
// waits for it.
func (w *work) update(ctx context.Context, fn func(*txn, *Action) error) error {
	return storeError(ctx, w.core.update(ctx, func(t *txn) error {
		a, err := t.Actions().Get(w.action.ID)
		if errors.Is(err, ErrNotFound) {
			return errLeaseLost
		}
		if err != nil {
			return err
		}
		if a.Epoch != w.action.Epoch || a.Holder != w.action.Holder {
			return errLeaseLost
		}
		return fn(t, a)
	}))
}

// storeError makes the action wait when the store does not work. Other errors of
// this package are no fault of the store.
func storeError(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || ours(err) || errors.Is(err, errLeaseLost) || errors.Is(err, errGone) {
		return err
	}
	return &waiting{least: 500 * time.Millisecond, most: 10 * time.Second, why: fmt.Errorf("store: %w", err)}
}

// ours reports whether an update of the store failed for a reason of this
// package, for which another try would fail too.
func ours(err error) bool {
	var known *Error
	return errors.As(err, &known) && !errors.Is(err, ErrUnavailable)
}

// stage notes how far the work came, for the error of one that ends there.
func (w *work) stage(ctx context.Context, name string) error {
	select {
	case <-w.shutdown:
		return errShutdown
	default:
	}
	if w.action.Stage == name {
		return nil
	}
	w.action.Stage = name
	return w.update(ctx, func(t *txn, a *Action) error {
		a.Stage = name
		return t.Actions().Update(a)
	})
}

// say appends a line of forge's own to the log.
func (w *work) say(ctx context.Context, text string) error {
	return w.update(ctx, func(t *txn, a *Action) error {
		if err := say(t, a, LineSystem, text); err != nil {
			return err
		}
		w.action.Cursor = a.Cursor
		return t.Actions().Update(a)
	})
}

// maxSaid bounds a text of forge's own, which may quote what a server said.
const maxSaid = 16 << 10

// say appends a text to the log of an action, line by line; the caller stores the
// action.
func say(t *txn, a *Action, kind LineType, text string) error {
	from, to := a.Cursor, a.Cursor
	var added []Line
	for part := range strings.SplitSeq(strings.TrimRight(text[:min(len(text), maxSaid)], "\n"), "\n") {
		part = lines.Clean(part)
		added = append(added, Line{Number: to.Line, Time: t.Now(), Type: kind, Text: part})
		to.Line++
		to.Bytes += int64(len(part))
	}
	if err := t.AppendLog(a.ID, a.Epoch, from, to, added); err != nil {
		return err
	}
	a.Cursor = to
	emitLog(t, a)
	return nil
}

func emitLog(t *txn, a *Action) {
	t.Emit(Event{
		Owner: a.Owner, Type: EventLog, Subject: a.Subject, Action: a.ID, Server: a.Server, NextLine: a.Cursor.Line,
	})
}

// waiting is returned by a handler that gives its slot back until a time.
type waiting struct {
	least, most time.Duration // the wait doubles from one to the other
	why         error
	plain       bool // why is in forge's own words, with nothing to mask
}

func (w *waiting) Error() string { return "waits: " + w.why.Error() }
func (w *waiting) Unwrap() error { return w.why }

// wait is the length of the n-th wait in a row.
func (w *waiting) wait(n int) time.Duration {
	b := backoff.ExponentialBackOff{InitialInterval: w.least, RandomizationFactor: 0.2, Multiplier: 2, MaxInterval: w.most}
	b.Reset()
	d := b.NextBackOff()
	for range min(n, 16) {
		d = b.NextBackOff()
	}
	return d
}

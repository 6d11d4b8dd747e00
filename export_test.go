package forge

import (
	"context"
	"time"
)

// TestWork is an action in the hands of a test's handler.
type TestWork struct{ w *work }

// Action is the action as it was taken up.
func (t TestWork) Action() *Action { return t.w.action.Clone() }

// Say appends a line to the log.
func (t TestWork) Say(ctx context.Context, text string) error { return t.w.say(ctx, text) }

// Wait gives the slot back for a while.
func (TestWork) Wait(d time.Duration) error {
	return &waiting{least: d, most: d, why: ErrUnavailable}
}

// SetHandler replaces the work of a kind by a test's.
func (f *Forge) SetHandler(kind Kind, attempts int, timeout time.Duration, run func(context.Context, TestWork) error) {
	f.core.jobs[kind] = job{pool: poolDefault, attempts: attempts, timeout: timeout,
		run: func(ctx context.Context, w *work) error { return run(ctx, TestWork{w}) }}
}

// Insert asks for an action of a test's.
func (f *Forge) Insert(ctx context.Context, a *Action) error {
	return f.core.update(ctx, func(t *txn) error { return f.core.insert(t, a) })
}

// The reasons for which a handler's context ends.
var (
	ErrLeaseLost = errLeaseLost
	ErrCancelled = errCancelled
	ErrDeadline  = errDeadline
	ErrShutdown  = errShutdown
)

// MaxHandouts is how often an action is handed out without progress.
const MaxHandouts = maxHandouts

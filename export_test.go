package forge

import (
	"context"
	"io"
	"time"

	"github.com/seed-797f2c2c/forge/internal/keysource"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// TestWork is an action in the hands of a test's handler.
type TestWork struct{ w *work }

// Action is the action as it was taken up.
func (t TestWork) Action() *Action { return t.w.action.Clone() }

// Say appends a line to the log.
func (t TestWork) Say(ctx context.Context, text string) error { return t.w.say(ctx, text) }

// Stage comes to a stage.
func (t TestWork) Stage(ctx context.Context, name string) error { return t.w.stage(ctx, name) }

// Step comes to a step, as the line of a stack's script does.
func (t TestWork) Step(ctx context.Context, line string) error {
	return t.w.update(ctx, func(tx *txn, a *Action) error {
		watchSteps(tx, a, line)
		t.w.action.Stage = a.Stage
		return tx.Actions().Update(a)
	})
}

// SiteReady leaves the site in a state when the work is done, as create_site does.
func (t TestWork) SiteReady(to SiteStatus) {
	t.w.done = func(tx *txn) error { return t.w.siteReady(tx, t.w.action, t.w.action.Subject.ID, to) }
}

// SiteRemoved removes the site when the work is done, as delete_site does.
func (t TestWork) SiteRemoved() {
	t.w.done = func(tx *txn) error {
		site, err := tx.Sites().Get(t.w.action.Subject.ID)
		if err != nil {
			return err
		}
		return t.w.removeSite(tx, site, t.w.action.ID)
	}
}

// Deliver stores what read copies of a run's output, as detached runs do.
func (t TestWork) Deliver(ctx context.Context, read func(from int64, log io.Writer) error) error {
	_, err := t.w.deliver(ctx, watchSteps, func(from int64, log io.Writer) (sshexec.RunStatus, error) {
		return sshexec.RunStatus{}, read(from, log)
	})
	return err
}

// ErrLogFull ends what would not be stored.
var ErrLogFull = errLogFull

// Masker is what masks now.
func (t TestWork) Masker(ctx context.Context) (any, error) { return t.w.masker(ctx) }

// Wait gives the slot back for a while.
func (TestWork) Wait(d time.Duration) error {
	return &waiting{least: d, most: d, why: ErrUnavailable}
}

// SetHandler replaces the work of a kind by a test's. Its pool and what it does
// to its subject stay.
func (f *Forge) SetHandler(kind Kind, attempts int, timeout time.Duration, run func(context.Context, TestWork) error) {
	spec := f.core.jobs[kind]
	spec.attempts, spec.timeout = attempts, timeout
	spec.run = func(ctx context.Context, w *work) error { return run(ctx, TestWork{w}) }
	f.core.jobs[kind] = spec
}

// Stub replaces the work of a kind by a test's, and nothing else of it.
func (f *Forge) Stub(kind Kind, run func(context.Context, TestWork) error) {
	spec := f.core.jobs[kind]
	f.SetHandler(kind, spec.attempts, spec.timeout, run)
}

// Wrap puts something around the work of a kind.
func (f *Forge) Wrap(kind Kind, run func(ctx context.Context, w TestWork, work func() error) error) {
	spec := f.core.jobs[kind]
	f.Stub(kind, func(ctx context.Context, w TestWork) error {
		return run(ctx, w, func() error { return spec.run(ctx, w.w) })
	})
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

// StartsRun notes a detached run of the action, as if it were started.
func (t TestWork) StartsRun(ctx context.Context) error { return t.w.startsRun(ctx, t.w.runID()) }

// RunEnded notes that the run's end is known.
func (t TestWork) RunEnded() { t.w.live = false }

// Done is called in the transaction of the successful end.
func (t TestWork) Done(fn func() error) { t.w.done = func(*txn) error { return fn() } }

// Unreachable turns a failure to reach a server into a wait.
var Unreachable = unreachable

// SetVersion makes this the process of a version whose actions have that shape.
func (f *Forge) SetVersion(v int) { f.core.version = v }

// Forget makes this the process of a version that does not know a kind.
func (f *Forge) Forget(kind Kind) { delete(f.core.jobs, kind) }

// WakeAll wakes all who wait, as an event does.
func WakeAll(f *Forge) { f.core.hub.wake(nil) }

// SetKeySource makes a test's host the one that keys are imported from.
func SetKeySource(f *Forge, s keysource.Source) { f.core.source = s }

package forge

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seed-797f2c2c/forge/queue"
)

// txn is a transaction together with the wake-ups that it causes, and what there
// is to observe of it.
type txn struct {
	Tx
	wakes []queue.Job
	seen  []Observation
}

// update runs fn in a transaction and, once that is committed, enqueues the
// wake-ups. One that is lost here is made up for by the sweep.
func (c *core) update(ctx context.Context, fn func(*txn) error) error {
	var wakes []queue.Job
	var seen []Observation
	err := c.Store.Update(ctx, func(tx Tx) error {
		t := &txn{Tx: tx}
		err := fn(t)
		wakes, seen = t.wakes, t.seen
		return err
	})
	if err != nil {
		return err
	}
	for _, o := range seen {
		c.Observe(o)
	}
	if len(wakes) == 0 {
		return nil
	}
	if err := c.Queue.Enqueue(context.WithoutCancel(ctx), wakes...); err != nil {
		c.Logger.WarnContext(ctx, "wake-ups could not be enqueued; the sweep will do it", "jobs", len(wakes), "error", err)
	}
	return nil
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// jobID names the wake-up of one epoch of an action.
func jobID(a *Action) string { return a.ID + "." + strconv.FormatInt(a.Epoch, 10) }

func parseJobID(id string) (action string, epoch int64, ok bool) {
	action, number, found := strings.Cut(id, ".")
	epoch, err := strconv.ParseInt(number, 10, 64)
	return action, epoch, found && err == nil
}

// insert writes a new action. Its job is woken when the transaction commits; a
// parent has no job, and ends when its children have. A part of what is being
// cancelled is cancelled at once.
func (c *core) insert(t *txn, a *Action) error {
	if err := c.add(t, a); err != nil || a.Parent == "" {
		return err
	}
	return c.childAdded(t, a)
}

// add writes a new action, of which its parent does not hear.
func (c *core) add(t *txn, a *Action) error {
	now := t.Now()
	spec := c.jobs[a.Kind]
	if a.ID == "" {
		a.ID = newID()
	}
	a.Created, a.Epoch, a.Version = now, 1, c.version
	if a.Timeout == 0 {
		a.Timeout = c.timeout(a.Kind)
	}
	if spec.run != nil {
		a.RunAt = now
		t.wakes = append(t.wakes, c.wakeUp(a))
	}
	if err := moveAction(t, a, ActionPending); err != nil {
		return err
	}
	if err := t.Actions().Insert(a); err != nil {
		return err
	}
	c.observeStatus(t, a, "")
	return nil
}

func (c *core) wakeUp(a *Action) queue.Job {
	return queue.Job{ID: jobID(a), Kind: string(a.Kind), Pool: c.jobs[a.Kind].pool, RunAt: a.RunAt}
}

// handOut makes the action free to be taken up at a time, under a new epoch, so
// that every earlier wake-up and every earlier holder is refused. The caller
// stores the action.
func (c *core) handOut(t *txn, a *Action, at time.Time) {
	a.Epoch++
	a.Holder, a.Lease = "", time.Time{}
	a.RunAt, a.Waits = at, ""
	t.wakes = append(t.wakes, c.wakeUp(a))
}

// setStatus moves an action, keeps its subject in step, and stores it.
func (c *core) setStatus(t *txn, a *Action, to ActionStatus) error {
	if c.foreign(a) {
		return errForeign(a)
	}
	from := a.Status
	if err := moveAction(t, a, to); err != nil {
		return err
	}
	if to.Ended() {
		a.Finished = t.Now()
		a.Holder, a.Lease, a.RunAt = "", time.Time{}, time.Time{}
		a.Secrets = nil // nothing more comes that they would be masked in
		if err := c.unlock(t, a); err != nil {
			return err
		}
	}
	stored := *a
	if to.Ended() {
		stored.Input.Sealed = nil // for the changed below, and nobody after it
	}
	if err := t.Actions().Update(&stored); err != nil {
		return err
	}
	c.observeStatus(t, &stored, from)
	if changed := c.jobs[a.Kind].changed; changed != nil {
		if err := changed(t, a); err != nil {
			return err
		}
	}
	a.Input.Sealed = stored.Input.Sealed
	if a.Parent != "" {
		return c.childChanged(t, a)
	}
	return nil
}

// end ends an action that failed.
func (c *core) fail(t *txn, a *Action, f *Failure) error {
	a.Failure = f
	return c.setStatus(t, a, ActionFailed)
}

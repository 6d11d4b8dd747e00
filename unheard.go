package forge

import (
	"context"
	"errors"
	"time"
)

// unheard is what a sweep remembers of the wake-ups that nobody seems to hear. A
// worker that dies after a durable queue gave it a job, and before it took the
// action up, leaves a job that runs for ever: the queue drops every other one of
// the same id. So the action gets another epoch, and with that another id.
//
// A wake-up that waits for its turn looks the same. Replacing that one as well does
// no harm but for the job that is left, so the waits double: an hour in a crowded
// queue costs each action eight jobs that are dropped at once.
type unheard struct {
	least   time.Duration
	actions map[string]*silence
}

// silence is that of the wake-up of an action.
type silence struct {
	epoch int64
	since time.Time // by this process's clock
	wait  time.Duration
}

func newUnheard(least time.Duration) *unheard {
	return &unheard{least: least, actions: map[string]*silence{}}
}

// note looks at the actions that are due now, and forgets the others.
func (u *unheard) note(due []*Action) {
	still := make(map[string]*silence, len(due))
	for _, a := range due {
		s := u.actions[a.ID]
		switch {
		case s == nil:
			s = &silence{a.Epoch, time.Now(), u.least}
		case s.epoch != a.Epoch: // replaced, perhaps by another process
			s = &silence{a.Epoch, time.Now(), 2 * s.wait}
		}
		still[a.ID] = s
	}
	u.actions = still
}

// tooLong reports whether an action that was noted needs another wake-up.
func (u *unheard) tooLong(a *Action) bool {
	s := u.actions[a.ID]
	return time.Since(s.since) >= s.wait
}

// replaceWakeUp gives the action another wake-up, in the same place of the queue.
func (c *core) replaceWakeUp(ctx context.Context, found *Action) error {
	replaced := false
	err := c.update(ctx, func(t *txn) error {
		replaced = false
		a, err := t.Actions().Get(found.ID)
		if err != nil || a.Epoch != found.Epoch || a.Status.Ended() || a.Holder != "" || a.RunAt.IsZero() {
			return err
		}
		replaced = true
		c.handOut(t, a, a.RunAt)
		return t.Actions().Update(a)
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil && replaced {
		c.Logger.InfoContext(ctx, "a wake-up that nobody heard was replaced", "action", found.ID, "kind", found.Kind)
	}
	return err
}

package forge

import (
	"context"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/queue"
)

// The sweep makes up for what a queue or a worker lost. It runs in every
// process that works, and any number of them do no harm to each other.

// sweepGrace is how long a wake-up may take before the sweep repeats it, which
// the queue drops while the first one still waits.
const sweepGrace = time.Second

// maxReplaced is how many wake-ups one look of the sweep replaces, each in a
// transaction of its own, before it looks again for what dead holders left.
const maxReplaced = 100

func (c *core) sweepAll(ctx context.Context, pools queue.Pools) {
	tick := time.NewTicker(min(c.Lease/3, 5*time.Second))
	defer tick.Stop()
	late := newUnheard(c.Lease)
	for {
		if err := c.sweep(ctx, pools, late); err != nil && ctx.Err() == nil {
			c.Logger.WarnContext(ctx, "the sweep failed and will be repeated", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *core) sweep(ctx context.Context, pools queue.Pools, late *unheard) error {
	if err := c.sweepLeases(ctx); err != nil {
		return err
	}
	return c.sweepDue(ctx, pools, late)
}

// sweepLeases hands out what dead holders left.
func (c *core) sweepLeases(ctx context.Context) error {
	expired, err := c.collect(ctx, func(now time.Time) ActionFilter { return ActionFilter{Expired: now} })
	if err != nil {
		return err
	}
	for _, found := range expired {
		taken := false
		err := c.update(ctx, func(t *txn) error {
			taken = false
			a, err := t.Actions().Get(found.ID)
			if err != nil || a.Epoch != found.Epoch || a.Status.Ended() || !a.Lease.Before(t.Now()) || a.Holder == "" || c.foreign(a) {
				return err
			}
			taken = true
			a.Handouts++
			c.note(t, ObservedLost, a, 0)
			c.handOut(t, a, t.Now())
			return t.Actions().Update(a)
		})
		if err != nil {
			return err
		}
		if taken { // and not by the sweep of another process
			c.Logger.InfoContext(ctx, "an action was taken from a silent worker", "action", found.ID, "kind", found.Kind)
		}
	}
	return nil
}

// sweepDue repeats the wake-ups that should have been heard by now, and replaces
// those of which repeating is of no use.
func (c *core) sweepDue(ctx context.Context, pools queue.Pools, late *unheard) error {
	due, err := c.collect(ctx, func(now time.Time) ActionFilter { return ActionFilter{Due: now.Add(-sweepGrace)} })
	if err != nil {
		return err
	}
	due = slices.DeleteFunc(due, func(a *Action) bool {
		spec := c.jobs[a.Kind]
		return c.foreign(a) || spec.run == nil || pools[spec.pool] == 0 // work of others
	})
	late.note(due)
	var again []queue.Job
	replaced := 0
	for _, a := range due {
		if !late.tooLong(a) || replaced == maxReplaced {
			again = append(again, c.wakeUp(a))
			continue
		}
		replaced++
		if err := c.replaceWakeUp(ctx, a); err != nil {
			return err
		}
	}
	for jobs := range slices.Chunk(again, MaxPage) {
		if err := c.Queue.Enqueue(ctx, jobs...); err != nil {
			return err
		}
	}
	return nil
}

// collect reads all pages of a list, each in a view of its own.
func (c *core) collect(ctx context.Context, filter func(now time.Time) ActionFilter) ([]*Action, error) {
	var found []*Action
	page := Page{Limit: MaxPage}
	for {
		var some []*Action
		err := c.Store.View(ctx, func(tx Tx) (err error) {
			some, err = tx.Actions().List(filter(tx.Now()), page)
			return err
		})
		found = append(found, some...)
		if err != nil || len(some) < page.Limit {
			return found, err
		}
		page.After = some[len(some)-1].ID
	}
}

package forge

import (
	"context"
	"errors"
	"time"
)

// Processes of two versions of forge may share a store, as while one replaces the
// other. Migrations only add columns, so that the older one can go on. What it does
// not know it leaves alone: kinds of actions, and actions in a newer shape.

// actionVersion is the shape in which this version writes actions. It rises when
// an older one would misread them, or lose a part of them by writing them back.
const actionVersion = 1

// foreign reports whether an action is for a newer version alone.
func (c *core) foreign(a *Action) bool {
	_, known := c.jobs[a.Kind]
	return !known || a.Version > c.version
}

func errForeign(a *Action) error {
	return badState("the action %s %s was asked for by a newer version of forge, which has to deal with it", a.Kind, a.ID)
}

// wakeEvery is how often a process looks for what waits for a lock that is free.
const wakeEvery = time.Minute

// wakeAll is the part of the background that hands out what an older version passed
// over when it gave back a lock.
func (c *core) wakeAll(ctx context.Context) {
	tick := time.NewTicker(wakeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := c.wakeWaiting(ctx); err != nil && ctx.Err() == nil {
			c.Logger.WarnContext(ctx, "what waits for locks was not looked at and will be later", "error", err)
		}
	}
}

func (c *core) wakeWaiting(ctx context.Context) error {
	open, err := c.collect(ctx, func(time.Time) ActionFilter { return ActionFilter{Open: true} })
	if err != nil {
		return err
	}
	looked := map[string]bool{}
	for _, a := range open {
		if a.Waits == "" || c.foreign(a) || looked[a.Waits] {
			continue
		}
		looked[a.Waits] = true
		if err := c.update(ctx, func(t *txn) error { return c.passOn(t, a.Waits, "") }); err != nil {
			return err
		}
	}
	return nil
}

// passOn hands out the first that waits for a lock, if that is free, other than one
// action.
func (c *core) passOn(t *txn, key, except string) error {
	l, err := t.Locks().Get(key)
	if errors.Is(err, ErrNotFound) { // it went with its site, and leaves who waits for it
		l, err = &Lock{}, nil
	}
	if err != nil || l.Holder != "" {
		return err
	}
	for next, err := range actionsOf(t, ActionFilter{Waits: key, Open: true}) {
		if err != nil {
			return err
		}
		if next.ID == except || c.foreign(next) {
			continue
		}
		c.handOut(t, next, t.Now())
		return t.Actions().Update(next)
	}
	return nil
}

package forge

import (
	"errors"
	"slices"
)

// serverLock and siteLock name what at most one action at a time may change.
// The names are those of the fences on the servers too.
func serverLock(id string) string { return "server-" + id }
func siteLock(id string) string   { return "site-" + id }

// lock takes all the locks that an action needs, or none: then it returns the
// key of one that another action holds, or that is kept for a reboot. The fence of
// the first one is what the action's scripts carry.
func (c *core) lock(t *txn, a *Action) (locks []*Lock, busy string, err error) {
	kept, err := keptLocks(t, a)
	if err != nil {
		return nil, "", err
	}
	for _, key := range a.Locks {
		l, err := t.Locks().Get(key)
		if errors.Is(err, ErrNotFound) {
			l = &Lock{Key: key}
			err = t.Locks().Insert(l)
		}
		if err != nil {
			return nil, "", err
		}
		switch {
		case l.Holder == a.ID:
		case slices.Contains(kept, key):
			return nil, key, nil // a wake-up is not passed on: who would be next has to wait too
		case l.Holder != "":
			return nil, key, c.unlock(t, a)
		}
		locks = append(locks, l)
	}
	for _, l := range locks {
		l.Holder = a.ID
		l.Fence++
		if err := t.Locks().Update(l); err != nil {
			return nil, "", err
		}
	}
	return locks, "", nil
}

// keptLocks are those of the oldest reboot that is not begun, if that is older
// than the action. It needs all locks of its server at once, and would never get
// them while others kept coming. Who holds locks keeps them, and the reboot itself
// waits for nobody that is newer, so that it comes to its turn.
func keptLocks(t *txn, a *Action) ([]string, error) {
	if a.Server == "" || len(a.Locks) == 0 {
		return nil, nil
	}
	reboot, err := firstAction(t, ActionFilter{Server: a.Server, Kind: KindReboot, Status: []ActionStatus{ActionPending}})
	if err != nil || reboot == nil || reboot.ID >= a.ID {
		return nil, err
	}
	return reboot.Locks, nil
}

// unlock gives back what the action holds and hands out what waits for it. It
// also passes on a wake-up that the action got for a lock and does not use.
func (c *core) unlock(t *txn, a *Action) error {
	for _, key := range a.Locks {
		l, err := t.Locks().Get(key)
		if errors.Is(err, ErrNotFound) { // it went with its site, and leaves who waits for it
			l, err = &Lock{}, nil
		}
		if err != nil {
			return err
		}
		if l.Holder == a.ID {
			l.Holder = ""
			if err := t.Locks().Update(l); err != nil {
				return err
			}
		}
		if err := c.passOn(t, key, a.ID); err != nil {
			return err
		}
	}
	a.Waits = ""
	return nil
}

// leaveRun notes at the locks of an action that its run may still go on, for
// whoever takes one of them next.
func leaveRun(t *txn, a *Action) error {
	if a.Cursor.Run == "" {
		return nil
	}
	for _, key := range a.Locks {
		if err := setLeft(t, key, a.Cursor.Run); err != nil {
			return err
		}
	}
	return nil
}

func setLeft(t *txn, key, run string) error {
	l, err := t.Locks().Get(key)
	if err != nil {
		return err
	}
	l.Left = run
	return t.Locks().Update(l)
}

package forge

import (
	"context"
	"slices"
)

// Retry takes up what failed, or was cancelled, of an action over many servers that
// has ended: Sync, Revoke, Delete, Enforce or RotateControl. It returns a new action
// of the same kind with those parts alone, but for grants that were changed again
// since and servers where the same was asked for since. Where none is left, it returns
// an error of class ErrState.
func (s *Keys) Retry(ctx context.Context, actionID string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Keys.Retry", Subject{SubjectAction, actionID}); err != nil {
		return nil, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		was, err := s.f.action(t, actionID)
		if err != nil {
			return err
		}
		switch {
		case !slices.Contains(fleetKinds(), was.Kind):
			return badState("the action is %s; only one over many servers is taken up again: %v", was.Kind, fleetKinds())
		case !was.Status.Ended():
			return badState("the action is %s; it must have ended", was.Status)
		}
		c := s.f.newChanges(was.Kind, was.Owner, was.Subject, was.Input)
		for part, err := range actionsOf(t, ActionFilter{Parent: was.ID, Status: []ActionStatus{ActionFailed, ActionCancelled}}) {
			if err != nil {
				return err
			}
			if err := c.again(t, part); err != nil {
				return err
			}
		}
		if len(c.parts)+len(c.said) == 0 {
			return badState("no part of the action is left to be taken up again")
		}
		action, err = c.begin(t)
		return err
	})
	return action, err
}

// again asks for a part once more.
func (c *changes) again(t *txn, part *Action) error {
	srv, err := orNone(t.Servers().Get(part.Server))
	if srv == nil {
		return err
	}
	if part.Subject.Kind != SubjectGrant {
		if taken, err := takenUp(t, part); taken || err != nil {
			return err
		}
		return c.server(srv, part.Kind, part.Input, false)
	}
	g, err := orNone(t.Grants().Get(part.Subject.ID))
	if g == nil || g.Action != part.ID {
		return err
	}
	return c.grant(t, srv, g, part.Kind, false)
}

// takenUp reports whether the same was asked for on the server since, and is under
// way or done.
func takenUp(t *txn, part *Action) (bool, error) {
	since := ActionFilter{Server: part.Server, Kind: part.Kind, Status: []ActionStatus{ActionPending, ActionRunning, ActionFinished}}
	found, err := t.Actions().List(since, Page{Limit: MaxPage, After: part.ID})
	return slices.ContainsFunc(found, func(a *Action) bool {
		return a.Input.User == part.Input.User && a.Input.Unknown == part.Input.Unknown && slices.Equal(a.Input.Keep, part.Input.Keep)
	}), err
}

// server asks for a part on a server that is no change of one grant. It is done on
// active servers alone.
func (c *changes) server(srv *Server, kind Kind, input Input, named bool) error {
	if err := srv.mustBe(ServerActive); err != nil {
		if named {
			return err
		}
		c.said = append(c.said, srv.Name+" was passed over: "+err.Error())
		return nil
	}
	c.parts = append(c.parts, &Action{ID: newID(), Owner: srv.Owner, Actor: c.actor, Kind: kind, Server: srv.ID,
		Subject: Subject{SubjectServer, srv.ID}, Input: input, Locks: []string{serverLock(srv.ID)}})
	return nil
}

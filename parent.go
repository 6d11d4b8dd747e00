package forge

import (
	"fmt"
	"slices"
	"strings"
)

// A parent is an action without a job of its own: it runs as soon as one of its
// children does, and ends with the last of them.

func (c *core) childAdded(t *txn, child *Action) error {
	p, err := t.Actions().Get(child.Parent)
	if err != nil {
		return err
	}
	p.Children++
	p.ChildrenOpen++
	emitProgress(t, p)
	if err := t.Actions().Update(p); err != nil || p.Status != ActionCancelling {
		return err
	}
	return c.cancel(t, child)
}

// childChanged brings the parent in step with a child whose status changed. What
// the child's end leads to was inserted before, so a parent without an open
// child is done.
func (c *core) childChanged(t *txn, child *Action) error {
	p, err := t.Actions().Get(child.Parent)
	if err != nil {
		return err
	}
	if p.Status == ActionPending && child.Status == ActionRunning {
		p.Started = child.Started
		return c.setStatus(t, p, ActionRunning)
	}
	if !child.Status.Ended() {
		return nil
	}
	p.ChildrenOpen--
	if child.Status == ActionFailed || child.Status == ActionCancelled {
		p.ChildrenFailed++
	}
	emitProgress(t, p)
	if p.ChildrenOpen > 0 {
		return t.Actions().Update(p)
	}
	switch {
	case p.ChildrenFailed == 0:
		return c.finishParent(t, p)
	case p.Status == ActionCancelling || child.Status == ActionCancelled:
		return c.setStatus(t, p, ActionCancelled)
	default:
		return c.failParent(t, p)
	}
}

// finishParent ends a parent whose parts are finished, but for those whose place
// others took. Where that was done to all of them, it was done to the parent.
func (c *core) finishParent(t *txn, p *Action) error {
	done, err := firstAction(t, ActionFilter{Parent: p.ID, Status: []ActionStatus{ActionFinished}})
	switch {
	case err != nil:
		return err
	case done != nil && p.Status == ActionPending:
		if err := moveAction(t, p, ActionRunning); err != nil {
			return err
		}
	case done == nil && p.Status != ActionPending:
		return c.setStatus(t, p, ActionCancelled)
	case done == nil:
		return c.setStatus(t, p, ActionSuperseded)
	}
	return c.finishParts(t, p)
}

// finishParts ends a parent whose parts are done.
func (c *core) finishParts(t *txn, p *Action) error {
	if p.Kind == KindDeleteKey {
		f, err := c.dropKey(t, p)
		if err != nil {
			return err
		}
		if f != nil {
			return c.fail(t, p, f)
		}
	}
	return c.setStatus(t, p, ActionFinished)
}

// maxNamed is how many servers a failure names.
const maxNamed = 20

// failParent ends a parent with the failure of its first part that failed, or,
// where they are on many servers, with one that names them.
func (c *core) failParent(t *txn, p *Action) error {
	failed, err := t.Actions().List(ActionFilter{Parent: p.ID, Status: []ActionStatus{ActionFailed}}, Page{Limit: maxNamed})
	switch {
	case err != nil:
		return err
	case len(failed) == 0:
		return c.fail(t, p, &Failure{Reason: ReasonChild})
	case !slices.Contains(fleetKinds(), p.Kind):
		return c.fail(t, p, failed[0].Failure)
	}
	f := &Failure{Reason: failed[0].Failure.Reason}
	var where []string
	for _, part := range failed {
		srv, err := t.Servers().Get(part.Server)
		if err != nil {
			return err
		}
		if part.Failure.Reason != f.Reason {
			f.Reason = ReasonChild
		}
		where = append(where, fmt.Sprintf("%s: %s: %s", srv.Name, part.Failure.Reason, (&failure{*part.Failure}).Error()))
	}
	if more := p.ChildrenFailed - len(failed); more > 0 {
		where = append(where, fmt.Sprintf("and %d more", more))
	}
	f.Message = fmt.Sprintf("%d of %d servers failed: %s", p.ChildrenFailed, p.Children, strings.Join(where, "; "))
	return c.fail(t, p, f)
}

func emitProgress(t *txn, p *Action) {
	t.Emit(Event{
		Owner: p.Owner, Type: EventStep, Subject: Subject{SubjectAction, p.ID},
		Action: p.ID, Server: p.Server, Step: p.Children - p.ChildrenOpen, Steps: p.Children,
	})
}

// cancel asks for the end of an action. What nobody began ends at once; what
// runs is stopped by its holder.
func (c *core) cancel(t *txn, a *Action) error {
	if a.Status.Ended() || a.Status == ActionCancelling {
		return nil
	}
	if c.jobs[a.Kind].run == nil {
		return c.cancelChildren(t, a)
	}
	if a.Status == ActionPending {
		return c.setStatus(t, a, ActionCancelled)
	}
	if a.Holder == "" {
		c.handOut(t, a, t.Now())
	}
	return c.setStatus(t, a, ActionCancelling)
}

func (c *core) cancelChildren(t *txn, p *Action) error {
	if err := c.setStatus(t, p, ActionCancelling); err != nil {
		return err
	}
	if p.ChildrenOpen == 0 {
		return c.setStatus(t, p, ActionCancelled)
	}
	for child, err := range actionsOf(t, ActionFilter{Parent: p.ID, Open: true}) {
		if err != nil {
			return err
		}
		if err := c.cancel(t, child); err != nil {
			return err
		}
	}
	return nil
}

package forge

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
	return c.setStatus(t, p, ActionFinished)
}

// failParent ends a parent with the failure of its first part that failed.
func (c *core) failParent(t *txn, p *Action) error {
	f := &Failure{Reason: ReasonChild}
	part, err := firstAction(t, ActionFilter{Parent: p.ID, Status: []ActionStatus{ActionFailed}})
	if err != nil {
		return err
	}
	if part != nil {
		f = part.Failure
	}
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

package forge

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Actions looks after what was asked for.
type Actions struct{ f *Forge }

// Get returns an action.
func (s *Actions) Get(ctx context.Context, id string) (a *Action, err error) {
	err = s.f.core.Store.View(ctx, func(tx Tx) error {
		a, err = s.f.action(tx, id)
		return err
	})
	return a, err
}

func (f *Forge) action(tx Tx, id string) (*Action, error) {
	a, err := tx.Actions().Get(id)
	return scoped(f, "action", id, a, func(a *Action) string { return a.Owner }, err)
}

// List returns a page of the actions that the filter selects.
func (s *Actions) List(ctx context.Context, filter ActionFilter, page Page) ([]*Action, error) {
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Action, error) { return tx.Actions().List(filter, page) })
}

// All yields every action that the filter selects, page by page.
func (s *Actions) All(ctx context.Context, filter ActionFilter) iter.Seq2[*Action, error] {
	return all(func(page Page) ([]*Action, error) { return s.List(ctx, filter, page) },
		func(a *Action) string { return a.ID })
}

// ActionError says that an action ended other than finished.
type ActionError struct {
	Action *Action
}

// Error says how the action ended and why.
func (e *ActionError) Error() string {
	text := fmt.Sprintf("%s %s", e.Action.Kind, e.Action.Status)
	if f := e.Action.Failure; f != nil {
		text += ": " + (&failure{*f}).Error()
	}
	return text
}

// Unwrap gives the class: ErrUnknown where the outcome is not known,
// ErrUnavailable where the server could not be reached, otherwise ErrFailed.
func (e *ActionError) Unwrap() error {
	if f := e.Action.Failure; f != nil {
		switch f.Reason {
		case ReasonUnknown:
			return ErrUnknown
		case ReasonUnreachable:
			return ErrUnavailable
		}
	}
	return ErrFailed
}

// Wait waits for the end of an action. Where it ended other than finished, it
// is returned with an *ActionError.
func (s *Actions) Wait(ctx context.Context, id string) (*Action, error) {
	changes := s.f.core.hub.subscribe(func(e *Event) bool {
		return e.Type == EventStatus && e.Subject == Subject{SubjectAction, id}
	})
	defer changes.close()
	for {
		a, err := s.Get(ctx, id)
		switch {
		case err != nil:
			return nil, err
		case a.Status == ActionFinished:
			return a, nil
		case a.Status.Ended():
			return a, &ActionError{a}
		}
		if err := changes.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// Cancel asks for the end of an action and of its parts, and does not wait for
// it. What has not begun ends at once; what runs on a server is stopped there,
// and its own end decides: a command that finished first is finished. It
// returns an error of class ErrState when the action has ended.
func (s *Actions) Cancel(ctx context.Context, id string) error {
	return s.f.core.update(ctx, func(t *txn) error {
		a, err := s.f.action(t, id)
		if err != nil {
			return err
		}
		if a.Status.Ended() {
			return badState("the action is %s already", a.Status)
		}
		return s.f.core.cancel(t, a)
	})
}

// Log yields the stored lines of an action from a line on, without waiting for
// more. The log of a parent is that of its parts, one after the other, up to the
// first that has not ended.
func (s *Actions) Log(ctx context.Context, id string, from int64) iter.Seq2[Line, error] {
	return s.lines(ctx, id, from, false)
}

// Follow yields the lines of an action from a line on, as they come, until the
// action has ended and the last one was yielded. Lines are numbered from 0
// without gaps, so that a reader who was cut off goes on at the number after
// the last that it saw. The log of a parent is that of its parts, one after
// the other. A slow reader holds nobody up.
func (s *Actions) Follow(ctx context.Context, id string, from int64) iter.Seq2[Line, error] {
	return s.lines(ctx, id, from, true)
}

func (s *Actions) lines(ctx context.Context, id string, from int64, follow bool) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		a, err := s.Get(ctx, id)
		if err != nil {
			yield(Line{}, err)
			return
		}
		r := &reader{f: s.f, next: max(from, 0), follow: follow, yield: yield}
		if err := r.read(ctx, a); err != nil && !errors.Is(err, errStopped) {
			yield(Line{}, err)
		}
	}
}

// errStopped says that whoever reads has had enough.
var errStopped = errors.New("the reader stopped")

// reader yields the lines of an action and of its parts.
type reader struct {
	f      *Forge
	base   int64 // lines of the parts before this one
	next   int64 // the number of the next line to yield
	follow bool
	ended  bool // the part that was read last has ended
	yield  func(Line, error) bool
}

func (r *reader) read(ctx context.Context, a *Action) error {
	if r.f.core.jobs[a.Kind].run == nil {
		return r.readChildren(ctx, a)
	}
	changes := r.f.core.hub.subscribe(func(e *Event) bool {
		return e.Action == a.ID && (e.Type == EventLog || e.Type == EventStatus)
	})
	defer changes.close()
	for {
		// The end is looked for before the lines, so that the last lines are
		// read after it.
		now, err := r.f.Actions.Get(ctx, a.ID)
		if err != nil {
			return err
		}
		for line, err := range r.f.core.Store.Log(ctx, a.ID, max(r.next-r.base, 0)) {
			if err != nil {
				return err
			}
			line.Number += r.base
			if !r.yield(line, nil) {
				return errStopped
			}
			r.next = line.Number + 1
		}
		if now.Status.Ended() || !r.follow {
			r.base += now.Cursor.Line
			r.ended = now.Status.Ended()
			return nil
		}
		if err := changes.wait(ctx); err != nil {
			return err
		}
	}
}

func (r *reader) readChildren(ctx context.Context, p *Action) error {
	changes := r.f.core.hub.subscribe(func(e *Event) bool { return e.Subject == Subject{SubjectAction, p.ID} })
	defer changes.close()
	after := ""
	for {
		now, err := r.f.Actions.Get(ctx, p.ID)
		if err != nil {
			return err
		}
		for {
			children, err := r.f.Actions.List(ctx, ActionFilter{Parent: p.ID}, Page{After: after})
			if err != nil {
				return err
			}
			for _, child := range children {
				after = child.ID
				if err := r.read(ctx, child); err != nil {
					return err
				}
				if !r.ended {
					return nil // what the later parts begin with depends on how long this one becomes
				}
			}
			if len(children) == 0 {
				break
			}
		}
		if now.Status.Ended() || !r.follow {
			return nil
		}
		if err := changes.wait(ctx); err != nil {
			return err
		}
	}
}

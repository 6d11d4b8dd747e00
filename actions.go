package forge

import (
	"context"
	"fmt"
	"iter"
)

// Actions looks after what was asked for.
type Actions struct{ f *Forge }

// Get returns an action.
func (s *Actions) Get(ctx context.Context, id string) (a *Action, err error) {
	if _, err := s.f.ask(ctx, "Actions.Get", Subject{SubjectAction, id}); err != nil {
		return nil, err
	}
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
	if _, err := s.f.ask(ctx, "Actions.List"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Action, error) { return tx.Actions().List(filter, page) })
}

// All yields every action that the filter selects, page by page.
func (s *Actions) All(ctx context.Context, filter ActionFilter) iter.Seq2[*Action, error] {
	return asking(ctx, s.f, "Actions.All", nil, func(f *Forge) iter.Seq2[*Action, error] {
		return all(func(page Page) ([]*Action, error) { return f.Actions.List(ctx, filter, page) },
			func(a *Action) string { return a.ID })
	})
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
// is returned with an *ActionError. A store that cannot be reached meanwhile, as
// its database is restarted, is asked again for 30 seconds.
func (s *Actions) Wait(ctx context.Context, id string) (*Action, error) {
	f, err := s.f.ask(ctx, "Actions.Wait", Subject{SubjectAction, id})
	if err != nil {
		return nil, err
	}
	changes := s.f.core.hub.subscribe(func(e *Event) bool {
		return e.Type == EventStatus && e.Subject == Subject{SubjectAction, id}
	})
	defer changes.close()
	patient := patience{hub: s.f.core.hub}
	for {
		var a *Action
		err := patient.read(ctx, func() (err error) {
			a, err = f.Actions.Get(ctx, id)
			return err
		})
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
	if _, err := s.f.ask(ctx, "Actions.Cancel", Subject{SubjectAction, id}); err != nil {
		return err
	}
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

package forge

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Log yields the stored lines of an action from one number up to another, which
// is not among them, or up to the end where that is 0; a negative one is of class
// ErrInvalid. It does not wait for
// more. The log of a parent is that of its parts, one after the other, up to the
// first that has not ended. Where lines were removed, as they were too old, the
// error is of class ErrState.
func (s *Actions) Log(ctx context.Context, id string, from, to int64) iter.Seq2[Line, error] {
	if to < 0 {
		return func(yield func(Line, error) bool) { yield(Line{}, invalid("to", "must not be negative")) }
	}
	return s.lines(ctx, "Actions.Log", id, reader{next: max(from, 0), to: to})
}

// Follow yields the lines of an action from a line on, as they come, until the
// action has ended and the last one was yielded. Lines are numbered from 0
// without gaps, so that a reader who was cut off goes on at the number after
// the last that it saw. The log of a parent is that of its parts, one after
// the other. A slow reader holds nobody up. A store that cannot be reached
// meanwhile, as its database is restarted, is asked again for 30 seconds.
func (s *Actions) Follow(ctx context.Context, id string, from int64) iter.Seq2[Line, error] {
	return s.lines(ctx, "Actions.Follow", id, reader{next: max(from, 0), follow: true})
}

func (s *Actions) lines(ctx context.Context, method, id string, r reader) iter.Seq2[Line, error] {
	return asking(ctx, s.f, method, []Subject{{SubjectAction, id}}, func(f *Forge) iter.Seq2[Line, error] {
		return func(yield func(Line, error) bool) {
			a, err := f.Actions.Get(ctx, id)
			if err != nil {
				yield(Line{}, err)
				return
			}
			r := r // as the sequence may be used again
			r.f, r.yield, r.store = f, yield, patience{hub: f.core.hub, heard: true}
			if err := r.read(ctx, a); err != nil && !errors.Is(err, errStopped) {
				yield(Line{}, err)
			}
		}
	})
}

// errStopped says that whoever reads has had enough.
var errStopped = errors.New("the reader stopped")

// reader yields the lines of an action and of its parts.
type reader struct {
	f      *Forge
	store  patience
	base   int64 // lines of the parts before this one
	next   int64 // the number of the next line to yield
	to     int64 // the number after the last one to yield; 0 for all
	follow bool
	ended  bool // the part that was read last has ended
	yield  func(Line, error) bool
}

func (r *reader) read(ctx context.Context, a *Action) error {
	if r.f.core.jobs[a.Kind].run == nil {
		if a.Cursor.Line > 0 { // written when it was asked for, and none since
			if err := r.readStored(ctx, a); err != nil {
				return err
			}
			r.base += a.Cursor.Line
		}
		return r.readChildren(ctx, a)
	}
	changes := r.f.core.hub.subscribe(func(e *Event) bool {
		return e.Action == a.ID && (e.Type == EventLog || e.Type == EventStatus)
	})
	defer changes.close()
	for {
		// The end is looked for before the lines, so that the last lines are
		// read after it.
		now, err := r.action(ctx, a.ID)
		if err != nil {
			return err
		}
		if err := r.readStored(ctx, now); err != nil {
			return err
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

// readStored yields the lines that are stored of one part.
func (r *reader) readStored(ctx context.Context, a *Action) error {
	if r.to > 0 && r.next >= r.to {
		return errStopped
	}
	err := r.store.read(ctx, func() error {
		for line, err := range r.f.core.Store.Log(ctx, a.ID, max(r.next-r.base, 0)) {
			if err != nil {
				return err
			}
			r.store.answered()
			line.Number += r.base
			if r.to > 0 && line.Number >= r.to || !r.yield(line, nil) {
				return errStopped
			}
			r.next = line.Number + 1
		}
		return nil
	})
	if err != nil || r.next >= r.base+a.Cursor.Line {
		return err
	}
	// There were more lines, which may have been removed a moment ago.
	a, err = r.action(ctx, a.ID)
	if err == nil && !a.LogRemoved.IsZero() {
		err = badState("the log of %s was removed at %s, as it was too old", a.Kind, a.LogRemoved.Format(time.RFC3339))
	}
	return err
}

// action reads the action as it is now.
func (r *reader) action(ctx context.Context, id string) (a *Action, err error) {
	err = r.store.read(ctx, func() error {
		a, err = r.f.Actions.Get(ctx, id)
		return err
	})
	return a, err
}

func (r *reader) readChildren(ctx context.Context, p *Action) error {
	changes := r.f.core.hub.subscribe(func(e *Event) bool { return e.Subject == Subject{SubjectAction, p.ID} })
	defer changes.close()
	after := ""
	for {
		now, err := r.action(ctx, p.ID)
		if err != nil {
			return err
		}
		for {
			var children []*Action
			err := r.store.read(ctx, func() (err error) {
				children, err = r.f.Actions.List(ctx, ActionFilter{Parent: p.ID}, Page{After: after})
				return err
			})
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

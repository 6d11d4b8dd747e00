package forge

import (
	"context"
	"iter"
	"slices"
)

// Events yields the events that the filter selects as they come, in order, until
// ctx is done, whose error comes last. A consumer that was cut off goes on with
// EventFilter.After set to the last Event.Seq that it saw; where the store does
// not have them any more, the error is of class ErrState. A slow consumer
// costs no other one anything. A store that cannot be reached meanwhile, as its
// database is restarted, is asked again for 30 seconds, and no event is left out.
func (f *Forge) Events(ctx context.Context, filter *EventFilter) iter.Seq2[Event, error] {
	if filter == nil {
		filter = &EventFilter{}
	}
	wanted := *filter
	return asking(ctx, f, "Forge.Events", nil, func(f *Forge) iter.Seq2[Event, error] { return f.events(ctx, wanted) })
}

func (f *Forge) events(ctx context.Context, wanted EventFilter) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		// Any event wakes the reading, which looks what it is: that way a
		// reader keeps its place in events which are not for it.
		changes := f.core.hub.subscribe(func(*Event) bool { return true })
		defer changes.close()
		const batch = 500
		last, begun := wanted.After, wanted.After != 0
		patient := patience{hub: f.core.hub}
		for {
			var events []Event
			err := patient.read(ctx, func() error {
				return f.core.Store.View(ctx, func(tx Tx) (err error) {
					if !begun {
						last, err = tx.LastEvent()
						return err
					}
					events, err = tx.Events(last, batch)
					return err
				})
			})
			begun = true
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, e := range events {
				last = e.Seq
				if f.sees(e.Owner) && wanted.selects(&e) && !yield(e, nil) {
					return
				}
			}
			if len(events) < batch {
				if err := changes.wait(ctx); err != nil {
					yield(Event{}, err)
					return
				}
			}
		}
	}
}

func (f *EventFilter) selects(e *Event) bool {
	return (f.Server == "" || f.Server == e.Server) &&
		(f.Subject == Subject{} || f.Subject == e.Subject) &&
		(f.Action == "" || f.Action == e.Action) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, e.Type))
}

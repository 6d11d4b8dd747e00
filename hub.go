package forge

import (
	"context"
	"slices"
	"sync"
	"time"
)

// hub tells those who wait in this process that something was committed. One
// goroutine reads the events of the store, and only while somebody waits. What
// it tells is a hint: whoever hears it reads the store.
type hub struct {
	store Store

	mu   sync.Mutex
	subs []*subscription
	stop context.CancelFunc // ends the reader; nil while there is none

	closed chan struct{}
}

// pollInterval is how often a store that cannot notify is asked.
const pollInterval = 500 * time.Millisecond

func newHub(store Store) *hub { return &hub{store: store, closed: make(chan struct{})} }

// subscription is one who waits.
type subscription struct {
	hub   *hub
	match func(*Event) bool
	ready chan struct{} // has a value when a matching event came
}

// subscribe wakes ready for each event that match accepts. match is called for
// every event from now on, and must not block. Close it when done.
func (h *hub) subscribe(match func(*Event) bool) *subscription {
	s := &subscription{hub: h, match: match, ready: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = append(h.subs, s)
	if h.stop == nil && !h.isClosed() {
		ctx, cancel := context.WithCancel(context.Background())
		h.stop = cancel
		go h.read(ctx)
	}
	return s
}

func (s *subscription) close() {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.hub.subs = slices.DeleteFunc(s.hub.subs, func(o *subscription) bool { return o == s })
	if len(s.hub.subs) == 0 {
		s.hub.stopReading()
	}
}

// wait waits for the next hint.
func (s *subscription) wait(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-s.hub.closed:
		return errClosed()
	}
}

func errClosed() error { return badState("this Forge is closed") }

// close ends every wait, now and later.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.isClosed() {
		close(h.closed)
	}
	h.stopReading()
}

func (h *hub) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

func (h *hub) stopReading() {
	if h.stop != nil {
		h.stop()
		h.stop = nil
	}
}

// wake tells those who match; a nil event tells all.
func (h *hub) wake(e *Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subs {
		if e == nil || s.match(e) {
			select {
			case s.ready <- struct{}{}:
			default:
			}
		}
	}
}

// read follows the store's events from the last one on. When it begins, and
// when it fell too far behind, everybody is told to look.
func (h *hub) read(ctx context.Context) {
	const batch = 500
	last := int64(-1)
	for ctx.Err() == nil {
		var events []Event
		began := last < 0
		err := h.store.View(ctx, func(tx Tx) (err error) {
			if began {
				last, err = tx.LastEvent()
				return err
			}
			events, err = tx.Events(last, batch)
			return err
		})
		if err != nil {
			last = -1
			sleep(ctx, pollInterval)
			continue
		}
		if began {
			h.wake(nil)
		}
		for i := range events {
			h.wake(&events[i])
			last = events[i].Seq
		}
		if len(events) < batch {
			h.await(ctx, last)
		}
	}
}

// await returns when there may be more events.
func (h *hub) await(ctx context.Context, last int64) {
	if n, ok := h.store.(Notifier); !ok || n.Wait(ctx, last) != nil {
		sleep(ctx, pollInterval)
	}
}

// sleep waits for a time, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

package sqlstore

import (
	"context"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// pollInterval is how often those who wait look for events by themselves: of other
// processes they may not be told, and a notification can be lost.
const pollInterval = time.Second

// Waiters are those who wait for events of a store.
type Waiters struct {
	closed chan struct{}
	close  sync.Once

	mu   sync.Mutex
	more chan struct{} // closed at the next Wake
}

// NewWaiters returns none.
func NewWaiters() *Waiters {
	return &Waiters{closed: make(chan struct{}), more: make(chan struct{})}
}

// Wake has all of them look for events.
func (w *Waiters) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.more)
	w.more = make(chan struct{})
}

// Close ends them, and those who come later.
func (w *Waiters) Close() { w.close.Do(func() { close(w.closed) }) }

func (w *Waiters) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.more
}

// Wait returns when there are events after a sequence, or the error of ctx.
func (w *Waiters) Wait(ctx context.Context, d *Dialect, read Reader, after int64) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		more := w.next() // before it looks, so that nothing falls in between
		var last int64
		stmt := d.sql(`SELECT COALESCE((SELECT MAX("seq") FROM {events}), 0)`)
		if err := read(ctx, stmt, func(scan func(...any) error) error { return scan(&last) }); err != nil {
			return err
		}
		if last > max(after, 0) {
			return nil
		}
		select {
		case <-more:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-w.closed:
			return &forge.Error{Class: forge.ErrState, Rule: "the store is closed"}
		}
	}
}

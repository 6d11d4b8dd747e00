package cloud

import (
	"context"
	"sync"
)

// Locks has a lock for each name, such as the Spec.ID that several ask a machine
// for at once. The zero value is ready for use.
type Locks struct {
	mu   sync.Mutex
	held map[string]*holder
}

// holder is who has a lock, or waits for it.
type holder struct {
	turn chan struct{} // has room for the one who holds the lock
	all  int           // who holds it or waits
}

// Lock waits for the lock of a name. unlock gives it back.
func (l *Locks) Lock(ctx context.Context, name string) (unlock func(), err error) {
	l.mu.Lock()
	h := l.held[name]
	if h == nil {
		if l.held == nil {
			l.held = make(map[string]*holder)
		}
		h = &holder{turn: make(chan struct{}, 1)}
		l.held[name] = h
	}
	h.all++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if h.all--; h.all == 0 {
			delete(l.held, name)
		}
	}
	select {
	case h.turn <- struct{}{}:
		return sync.OnceFunc(func() { <-h.turn; leave() }), nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

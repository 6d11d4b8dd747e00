package cloud

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// readTimeout bounds what is read on behalf of several callers.
const readTimeout = time.Minute

// Fleet answers for single machines by listing all of them, where many are asked
// for at about the same time and that takes fewer requests.
type Fleet struct {
	// One asks the vendor for one machine.
	One func(ctx context.Context, id string) (*provider.Machine, error)
	// List asks the vendor for all machines of forge, and says how many requests
	// that took.
	List func(ctx context.Context) (all []*provider.Machine, requests int, err error)
	// Age is how old an answer may be. Defaults to 5 s.
	Age time.Duration

	mu      sync.Mutex
	asked   map[string]time.Time // when each machine was last asked for
	cost    int                  // requests that the last list took
	known   map[string]*provider.Machine
	asOf    time.Time
	listing *listing // that goes on
}

// listing is a list that is on its way to all who wait for it.
type listing struct {
	done  chan struct{}
	stale bool // something has changed since it began
	err   error
}

// Get returns a machine, as it was at most Age ago.
func (f *Fleet) Get(ctx context.Context, id string) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, list := f.look(ctx, id)
	if m != nil {
		return m, nil
	}
	if list != nil {
		select {
		case <-list.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if m := f.found(id); m != nil {
			return m, nil
		}
		if errors.Is(list.err, provider.ErrRateLimit) {
			return nil, list.err
		}
	}
	return f.One(ctx, id)
}

// Changed has to be called after each change at the vendor, so that no answer is
// older than it.
func (f *Fleet) Changed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = nil
	if f.listing != nil {
		f.listing.stale = true
		f.listing = nil
	}
}

// look returns what is known of a machine, or the list to wait for, or nothing
// when the machine alone is to be asked for.
func (f *Fleet) look(ctx context.Context, id string) (*provider.Machine, *listing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if f.asked == nil {
		f.asked = make(map[string]time.Time)
	}
	maps.DeleteFunc(f.asked, func(_ string, at time.Time) bool { return now.Sub(at) >= f.age() })
	f.asked[id] = now
	if m := f.fresh(id, now); m != nil {
		return m, nil
	}
	if f.listing == nil && len(f.asked) > max(f.cost, 1) {
		f.listing = &listing{done: make(chan struct{})}
		// It serves all who wait, so it does not end with the one who began it.
		go f.list(context.WithoutCancel(ctx), f.listing)
	}
	return nil, f.listing
}

func (f *Fleet) list(ctx context.Context, l *listing) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	began := time.Now()
	all, requests, err := f.List(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(l.done)
	l.err = err
	if l.stale {
		return
	}
	f.listing = nil
	if err != nil {
		return
	}
	f.cost, f.asOf = requests, began
	f.known = make(map[string]*provider.Machine, len(all))
	for _, m := range all {
		f.known[m.ID] = m
	}
}

func (f *Fleet) found(id string) *provider.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fresh(id, time.Now())
}

// fresh returns a copy of what is known of a machine and is young enough.
func (f *Fleet) fresh(id string, now time.Time) *provider.Machine {
	m := f.known[id]
	if m == nil || now.Sub(f.asOf) >= f.age() {
		return nil
	}
	c := *m
	c.Labels = maps.Clone(m.Labels)
	return &c
}

func (f *Fleet) age() time.Duration {
	if f.Age == 0 {
		return 5 * time.Second
	}
	return f.Age
}

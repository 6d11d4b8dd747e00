package cloud

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

const (
	// perRequest is how long a list is good for at least, for each request that it
	// took, so that lists of a great many machines leave the rate limit to others.
	perRequest = 2 * time.Second
	// costAges is for how many ages it is known what a list costs.
	costAges = 20
)

// Fleet answers for single machines by listing all of them, where many are asked
// for at about the same time and that takes fewer requests.
type Fleet struct {
	// One asks the vendor for one machine.
	One func(ctx context.Context, id string) (*provider.Machine, error)
	// List asks the vendor for all machines of forge, and says how many requests
	// that took.
	List func(ctx context.Context) (all []*provider.Machine, requests int, err error)
	// Age is how old an answer may be. It may be older by what a list of a great
	// many machines takes. Defaults to 5 s.
	Age time.Duration

	mu      sync.Mutex
	asked   map[string]time.Time // when each machine was asked for that no list had
	cost    int                  // requests that the last list took
	known   map[string]*provider.Machine
	asOf    time.Time
	listing *listing // that goes on
}

// listing is a list that is on its way to all who wait for it.
type listing struct {
	done    chan struct{}
	changed map[string]bool // machines that it may show as they were
	spoilt  bool            // it may show all of them so
	err     error
}

// Get returns a machine, as it was at most Age ago. One that a list does not have, as it
// was just made, is asked for. Its Vendor is shared with
// others, to be read and not changed.
func (f *Fleet) Get(ctx context.Context, id string) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for range 2 { // a change can spoil a list, but not again and again
		m, list := f.look(ctx, id)
		if m != nil {
			return m, nil
		}
		if list == nil {
			break
		}
		select {
		case <-list.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if list.err != nil { // not each who waited is to burden a vendor in trouble
			return nil, list.err
		}
		if m := f.found(id); m != nil {
			return m, nil
		}
		if !list.spoilt {
			break
		}
	}
	return f.One(ctx, id)
}

// Changed has to be called after each change at the vendor, with the machines that
// it may have changed, so that no answer is older than it. None stands for all.
func (f *Fleet) Changed(ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(ids) == 0 {
		f.known, f.listing = nil, nil
		return
	}
	for _, id := range ids {
		delete(f.known, id)
		if f.listing != nil {
			f.listing.changed[id] = true
		}
	}
}

// look returns what is known of a machine, or the list to wait for, or nothing
// when the machine alone is to be asked for.
func (f *Fleet) look(ctx context.Context, id string) (*provider.Machine, *listing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if m := f.fresh(id, now); m != nil {
		return m, nil
	}
	if f.listing != nil {
		if f.listing.changed[id] {
			return nil, nil
		}
		return nil, f.listing
	}
	// Asking for machines one by one may cost as much as a list, and no more.
	maps.DeleteFunc(f.asked, func(_ string, at time.Time) bool { return now.Sub(at) >= f.age() })
	if f.asked == nil {
		f.asked = make(map[string]time.Time)
	}
	f.asked[id] = now
	if now.Sub(f.asOf) >= costAges*f.age() {
		f.cost = 0
	}
	if len(f.asked) <= max(f.cost, 1) {
		return nil, nil
	}
	clear(f.asked)
	f.listing = &listing{done: make(chan struct{}), changed: make(map[string]bool)}
	// It serves all who wait, so it does not end with the one who began it.
	go f.list(context.WithoutCancel(ctx), f.listing)
	return nil, f.listing
}

func (f *Fleet) list(ctx context.Context, l *listing) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	began := time.Now()
	all, requests, err := f.List(ctx)
	err = timely(err, "no list of all machines")
	f.mu.Lock()
	defer f.mu.Unlock()
	defer close(l.done)
	l.err = err
	if l.spoilt = f.listing != l; l.spoilt {
		return
	}
	f.listing = nil
	if err != nil {
		return
	}
	f.cost, f.asOf = requests, began
	f.known = make(map[string]*provider.Machine, len(all))
	for _, m := range all {
		if !l.changed[m.ID] {
			f.known[m.ID] = m
		}
	}
}

// found returns what is known of a machine after a list, which was long in coming
// perhaps.
func (f *Fleet) found(id string) *provider.Machine {
	f.mu.Lock()
	defer f.mu.Unlock()
	return clone(f.known[id])
}

// fresh returns what is known of a machine and is young enough.
func (f *Fleet) fresh(id string, now time.Time) *provider.Machine {
	if now.Sub(f.asOf) >= f.age() {
		return nil
	}
	return clone(f.known[id])
}

func clone(m *provider.Machine) *provider.Machine {
	if m == nil {
		return nil
	}
	c := *m
	c.Labels = maps.Clone(m.Labels)
	return &c
}

func (f *Fleet) age() time.Duration {
	age := f.Age
	if age == 0 {
		age = 5 * time.Second
	}
	return max(age, time.Duration(f.cost)*perRequest)
}

package cloud

import (
	"context"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// patience is how long a request waits for its place itself. A longer wait is
// left to the caller, who has better to do than to wait.
const patience = time.Second

// Limits are the rate limits of a vendor's API.
type Limits struct {
	// Every is how often the vendor gives one request back when none is left.
	Every time.Duration
	// Windows are limits that the vendor's answers say nothing of.
	Windows []Window
}

// Window is N requests in any span of Per.
type Window struct {
	N   int
	Per time.Duration
}

// Limiter keeps the requests of all who use an adapter within its vendor's rate
// limits. What others use of the same account is known by the vendor's answers.
type Limiter struct {
	every time.Duration

	mu       sync.Mutex
	windows  []*window
	inFlight int
	known    bool      // whether an answer told what is left
	left     int       // requests that the vendor has left, as its last answer said
	next     time.Time // when there is one more, if none is left
	promised time.Time // the last time that a caller was told to come back at
}

// NewLimiter makes a Limiter.
func NewLimiter(l Limits) *Limiter {
	limiter := &Limiter{every: max(l.Every, time.Millisecond)}
	for _, w := range l.Windows {
		limiter.windows = append(limiter.windows, &window{per: w.Per, taken: make([]time.Time, w.N)})
	}
	return limiter
}

// Take takes a place for one request, which it waits for a little. Where that is
// not enough it returns a [provider.RateLimitError] with a time at which there
// is likely to be one; every caller is told another, so that they do not come
// all at once. done has to be called when the request was answered.
func (l *Limiter) Take(ctx context.Context) (done func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	wait, err := l.place(time.Now())
	if err != nil {
		return nil, err
	}
	done = sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.inFlight--
	})
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			done()
			return nil, ctx.Err()
		}
	}
	return done, nil
}

// place takes the next free place.
func (l *Limiter) place(now time.Time) (wait time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := now
	for _, w := range l.windows {
		at = later(at, w.free())
	}
	if l.known && l.left <= l.inFlight {
		at = later(at, l.next)
	}
	if at.Sub(now) > patience {
		return 0, l.promise(at)
	}
	if l.known && l.left <= l.inFlight { // it has one more by now
		l.left, l.next = l.inFlight+1, at.Add(l.every)
	}
	for _, w := range l.windows {
		w.take(at)
	}
	l.inFlight++
	return at.Sub(now), nil
}

// Seen takes note of what an answer said: how many requests are left, and when
// there is one more if none is.
func (l *Limiter) Seen(left int, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.left, l.next = true, left, next
}

// refused is the error of a request that the vendor refused until next.
func (l *Limiter) refused(next time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.left, l.next = true, 0, next
	return l.promise(next)
}

// promise tells a caller when to come back.
func (l *Limiter) promise(at time.Time) error {
	l.promised = later(at, l.promised.Add(l.every))
	return &provider.RateLimitError{Reset: l.promised}
}

// window is the times of the last N places, the oldest first from next on.
type window struct {
	per   time.Duration
	taken []time.Time
	next  int
}

func (w *window) free() time.Time {
	oldest := w.taken[w.next]
	if oldest.IsZero() {
		return oldest
	}
	return oldest.Add(w.per)
}

func (w *window) take(at time.Time) {
	w.taken[w.next] = at
	w.next = (w.next + 1) % len(w.taken)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

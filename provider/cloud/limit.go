package cloud

import (
	"context"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// patience is how long a request waits for its place itself, unless it is one of an
// [Operation] that has begun. A longer wait is left to the caller, who has better to
// do than to wait.
const patience = time.Second

// remembered is the time for which requests that nobody makes are saved up, as
// vendors count by the hour.
const remembered = time.Hour

// Limits are the rate limits of a vendor's API.
type Limits struct {
	// Every is how often the vendor gives one request back when none is left. Where
	// its answers say nothing of that, it counts after a 429.
	Every time.Duration
	// Windows are limits that the vendor's answers say nothing of.
	Windows []Window
}

// Window is N requests, at least one, in any span of Per. Not every request is on its
// way for as long as the others, so N is to be a little less than the vendor's.
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
	inFlight int       // that have a place and no answer yet
	booked   int       // of them, those that wait for what is given back
	known    bool      // whether an answer told what is left
	left     int       // requests that the vendor has left, by its last answer and what it has given back since
	next     time.Time // when it gives one back that is not booked
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
	wait, booked, err := l.place(patienceOf(ctx))
	if err != nil {
		return nil, err
	}
	begin(ctx)
	done = sync.OnceFunc(func() { l.drop(&l.inFlight, 1) })
	if wait > 0 {
		defer l.drop(&l.booked, booked)
		if err := Sleep(ctx, wait); err != nil {
			done()
			return nil, err
		}
	}
	return done, nil
}

func (l *Limiter) drop(count *int, by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*count -= by
}

// place takes the next free place, and books what the vendor is to give back for it.
func (l *Limiter) place(patience time.Duration) (wait time.Duration, booked int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.refill(now)
	at, gap := now, l.every
	for _, w := range l.windows {
		if free := w.free(); free.After(at) {
			at, gap = free, w.per/time.Duration(len(w.taken))
		}
	}
	empty := l.known && l.left <= l.inFlight
	if empty && l.next.After(at) {
		at, gap = l.next, l.every
	}
	if at.Sub(now) > patience {
		return 0, 0, l.promise(at, gap)
	}
	if empty {
		l.left, l.next = l.left+1, l.next.Add(l.every)
		if at.After(now) {
			booked = 1
		}
	}
	for _, w := range l.windows {
		w.take(at)
	}
	l.inFlight++
	l.booked += booked
	return at.Sub(now), booked, nil
}

// refill adds what the vendor has given back since, as nobody asked it meanwhile.
// The next answer says what is so.
func (l *Limiter) refill(now time.Time) {
	if !l.known || now.Before(l.next) {
		return
	}
	n := 1 + int(now.Sub(l.next)/l.every)
	l.left = min(l.left+n, l.inFlight+max(1, int(remembered/l.every)))
	l.next = l.next.Add(time.Duration(n) * l.every)
}

// Seen takes note of what an answer said: how many requests are left, and when
// there is one more if none is. It is called before the done of that request.
func (l *Limiter) Seen(left int, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.refill(now)
	if left > 0 {
		next = now.Add(l.every)
	}
	if l.known && l.inFlight-l.booked > 1 { // answers overtake each other
		left = min(left, l.left)
	}
	l.known, l.left, l.next = true, left, next.Add(time.Duration(l.booked)*l.every)
}

// refused is the error of a request that the vendor refused until next. Where its
// clock or its answer is wrong, that is over already.
func (l *Limiter) refused(next time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next = later(next, time.Now().Add(patience))
	l.known, l.left, l.next = true, 0, next.Add(time.Duration(l.booked)*l.every)
	return l.promise(next, l.every)
}

// promise tells a caller when to come back, which is a gap after the one before.
func (l *Limiter) promise(at time.Time, gap time.Duration) error {
	l.promised = later(at, l.promised.Add(gap))
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

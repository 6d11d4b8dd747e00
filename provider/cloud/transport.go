package cloud

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/seed-797f2c2c/forge/provider"
)

const (
	// reads is how often a question is asked that was not answered.
	reads = 3
	// drained is how much of a useless answer is read, so that its connection
	// can be used again.
	drained = 64 << 10
)

// Transport sends requests within a vendor's rate limit. A question (GET or HEAD)
// that was not answered is asked again; what changes something never is, as
// nobody knows what became of it. It does the retries in place of the vendor's
// client library, whose own have to be switched off.
type Transport struct {
	// Base sends the requests. Defaults to http.DefaultTransport.
	Base http.RoundTripper
	// Limiter is the one of the account.
	Limiter *Limiter
	// Budget reads from an answer how many requests are left, and when there is
	// one more if none is. It reports whether the answer says so. It is asked at a
	// 429 too, after which a minute is waited where neither it nor the Retry-After
	// of the answer says how long. Defaults to answers that do not.
	Budget func(*http.Response) (left int, next time.Time, ok bool)
}

// RoundTrip implements http.RoundTripper. A request for which there is no place,
// before or after the vendor was asked, ends with a [provider.RateLimitError].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	question := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !question || (r.Body != nil && r.Body != http.NoBody) {
		return t.send(r)
	}
	wait := &backoff.ExponentialBackOff{InitialInterval: 500 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 5 * time.Second}
	wait.Reset()
	for n := 1; ; n++ {
		resp, err := t.send(r)
		if n == reads || !passing(r, resp, err) {
			return resp, err
		}
		if resp != nil {
			_, _ = io.CopyN(io.Discard, resp.Body, drained)
			_ = resp.Body.Close()
		}
		if err := Sleep(r.Context(), wait.NextBackOff()); err != nil {
			return nil, err
		}
	}
}

// passing reports whether the same question may be answered a little later.
func passing(r *http.Request, resp *http.Response, err error) bool {
	if err != nil {
		return r.Context().Err() == nil && !errors.Is(err, provider.ErrRateLimit)
	}
	return resp.StatusCode >= http.StatusInternalServerError && resp.StatusCode != http.StatusNotImplemented
}

// send sends a request once.
func (t *Transport) send(r *http.Request) (*http.Response, error) {
	done, err := t.Limiter.Take(r.Context())
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	defer done()
	base := t.Base
	if base == nil {
		base = http.DefaultTransport
	}
	resp, err := base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	left, next, ok := 0, time.Time{}, false
	if t.Budget != nil {
		left, next, ok = t.Budget(resp)
	}
	if resp.StatusCode != http.StatusTooManyRequests {
		if ok {
			t.Limiter.Seen(left, next)
		}
		return resp, nil
	}
	_ = resp.Body.Close()
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds >= 0 {
		next = time.Now().Add(time.Duration(seconds) * time.Second)
	} else if !ok || left > 0 {
		next = time.Now().Add(time.Minute) // it is about another limit, or does not say how long
	}
	return nil, t.Limiter.refused(next)
}

package digitalocean

import (
	"net/http"
	"strconv"
	"time"
)

// window is at most n requests in any span of per; none is no limit. Each request
// counts until its own time is over.
type window struct {
	n     int
	per   time.Duration
	times []time.Time
}

func (w *window) drop(now time.Time) {
	for len(w.times) > 0 && now.Sub(w.times[0]) >= w.per {
		w.times = w.times[1:]
	}
}

func (w *window) full() bool { return w.n > 0 && len(w.times) >= w.n }

func (w *window) take(now time.Time) {
	if w.n > 0 {
		w.times = append(w.times, now)
	}
}

// reset is when the oldest request is over.
func (w *window) reset(now time.Time) time.Time {
	if len(w.times) == 0 {
		return now.Add(w.per)
	}
	return w.times[0].Add(w.per)
}

// limit counts a request, writes the headers about the limits, and answers what is
// too much. Keys are listed by a limit of their own.
func (a *API) limit(header http.Header, now time.Time, operation string) answer {
	full := false
	windows := []*window{&a.minute, &a.hour}
	if operation == "GET /v2/account/keys" {
		windows = append(windows, &a.keyLists)
	}
	for _, w := range windows {
		w.drop(now)
		if w.full() {
			full = true
			if w != &a.hour {
				wait := w.reset(now).Sub(now)
				header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
			}
		}
	}
	if !full {
		for _, w := range windows {
			w.take(now)
		}
	}
	limit, left := a.hour.n, a.hour.n-len(a.hour.times)
	if limit == 0 {
		limit, left = 5000, 5000
	}
	if full {
		left = 0
	}
	header.Set("Ratelimit-Limit", strconv.Itoa(limit))
	header.Set("Ratelimit-Remaining", strconv.Itoa(left))
	// Whole seconds; one that is not over yet counts.
	header.Set("Ratelimit-Reset", strconv.FormatInt(a.hour.reset(now).Add(time.Second-1).Unix(), 10))
	if full {
		return problem(http.StatusTooManyRequests, "too_many_requests", "API Rate limit exceeded.")
	}
	return answer{}
}

package hetzner

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// bucket has the requests that are left. They come back one by one, all within an
// hour. One without a size never runs out.
type bucket struct {
	size int
	left float64
	at   time.Time // when left was right
}

// take takes a request, writes the headers about the limit, and reports whether
// there was one.
func (b *bucket) take(header http.Header, now time.Time) bool {
	if b.size == 0 {
		header.Set("RateLimit-Limit", "3600")
		header.Set("RateLimit-Remaining", "3599")
		header.Set("RateLimit-Reset", strconv.FormatInt(now.Add(time.Second).Unix(), 10))
		return true
	}
	perSecond := float64(b.size) / time.Hour.Seconds()
	b.left = min(float64(b.size), b.left+now.Sub(b.at).Seconds()*perSecond)
	b.at = now
	ok := b.left >= 1
	if ok {
		b.left--
	}
	full := time.Duration((float64(b.size) - b.left) / perSecond * float64(time.Second))
	header.Set("RateLimit-Limit", strconv.Itoa(b.size))
	header.Set("RateLimit-Remaining", strconv.Itoa(int(math.Floor(b.left))))
	header.Set("RateLimit-Reset", strconv.FormatInt(now.Add(full).Unix(), 10))
	return ok
}

package cloud

import (
	"net/http"
	"time"
)

// requestTimeout bounds a question with all its tries, and an order.
const requestTimeout = time.Minute

// NewClient makes a client whose only retries are those of a [Transport], which is t or
// below it. It does not follow a redirect, which would send an order a second time, and
// the token elsewhere: the vendor's library gets it for an answer.
func NewClient(t http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout:       requestTimeout,
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

package vultr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vultr/govultr/v3"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
	"github.com/seed-797f2c2c/forge/secret"
)

const (
	// perSecond is a little less than the 30 that Vultr takes from one address, as not
	// every request is on its way for as long as the others.
	perSecond  = 25
	perPage    = 500      // the most that Vultr gives
	mostAnswer = 32 << 20 // bytes
)

// newClient makes a client whose only retries are those of cloud.Transport: govultr's
// would send a create up to four times.
func newClient(cfg Config) (*govultr.Client, error) {
	client := govultr.NewClient(cloud.NewClient(&wire{key: cfg.APIKey, next: &cloud.Transport{
		Base: cfg.Transport,
		Limiter: cloud.NewLimiter(cloud.Limits{
			Every:   time.Second / perSecond,
			Windows: []cloud.Window{{N: perSecond, Per: time.Second}},
		}),
		Budget: budget,
	}}))
	client.SetRetryLimit(0)
	return client, client.SetBaseURL(cfg.Endpoint)
}

// budget says of a 429, which bears no headers here, that the second is soon over.
func budget(resp *http.Response) (left int, next time.Time, ok bool) {
	return 0, time.Now().Add(time.Second), resp.StatusCode == http.StatusTooManyRequests
}

// wire is below govultr, which makes a text of every error, and leaves the status and
// the kind of it out. What went wrong is kept for ask.
type wire struct {
	key  secret.Secret
	next http.RoundTripper
}

// heard is what went wrong on the wire. It travels in the context of a request.
type heard struct{ err error }

type heardKey struct{}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.key.Reveal())
	resp, err := w.next.RoundTrip(r)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
		_ = resp.Body.Close()
	}
	h, _ := r.Context().Value(heardKey{}).(*heard)
	var limit *provider.RateLimitError
	switch {
	case errors.As(err, &limit):
		h.err = limit
		return nil, err
	case err != nil:
		h.err = fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
		return nil, err
	case resp.StatusCode >= http.StatusMultipleChoices:
		h.err = failure(resp.StatusCode, text)
		return nil, h.err // a redirect too; and govultr leaves the answers of a 5xx open
	case len(text) > 0 && !json.Valid(text):
		h.err = fmt.Errorf("%w: the answer is no JSON", provider.ErrUnavailable)
		return nil, h.err
	}
	// govultr ignores an answer unless its type is this, to the letter.
	resp.Header.Set("Content-Type", "application/json")
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return resp, nil
}

// ask calls govultr. Its error wraps one of package provider's and, where Vultr spoke,
// an *Error.
func (p *Provider) ask(ctx context.Context, call func(context.Context) error) error {
	var h heard
	err := call(context.WithValue(ctx, heardKey{}, &h))
	var told *Error
	switch {
	case err == nil:
		return nil
	case errors.As(h.err, &told):
		return h.err
	case ctx.Err() != nil:
		return ctx.Err()
	case h.err != nil:
		return h.err
	}
	return fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
}

// pages reads all pages of a list. A page that does not say what comes after it is no
// answer: what is on the next one would be made again.
func pages[T any](ctx context.Context, p *Provider, opts govultr.ListOptions,
	list func(context.Context, *govultr.ListOptions) ([]T, *govultr.Meta, *http.Response, error),
) (all []T, requests int, err error) {
	opts.PerPage = perPage
	for {
		var meta *govultr.Meta
		requests++
		err := p.ask(ctx, func(ctx context.Context) error {
			page, after, _, err := list(ctx, &opts) //nolint:bodyclose // wire has read it
			all, meta = append(all, page...), after
			return err
		})
		switch {
		case err != nil:
			return nil, requests, err
		case meta == nil || meta.Links == nil:
			return nil, requests, fmt.Errorf("%w: the list says nothing of its other pages", provider.ErrUnavailable)
		case meta.Links.Next == "":
			return all, requests, nil
		}
		opts.Cursor = meta.Links.Next
	}
}

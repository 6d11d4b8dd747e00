package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// newClient makes a client whose only retries are those of cloud.Transport. Where
// the vendor has a library, it gets this client, and its own retries are switched
// off: they would send a create twice. A library that makes texts of errors needs a
// RoundTripper of yours on top of cloud.Transport, which keeps what went wrong.
func newClient(base http.RoundTripper) *http.Client {
	return cloud.NewClient(&cloud.Transport{
		Base:    base,
		Limiter: cloud.NewLimiter(cloud.Limits{Every: time.Second}), // 3,600 an hour
		Budget:  budget,
	})
}

// budget reads what an answer says of the rate limit. It is asked at a 429 too: where
// the vendor's says nothing, this is the place for when to come back.
func budget(resp *http.Response) (left int, next time.Time, ok bool) {
	left, err := strconv.Atoi(resp.Header.Get("RateLimit-Remaining"))
	return left, time.Now().Add(time.Second), err == nil
}

// Error is the vendor's own, for errors.As.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Message) }

// meaning says what the vendor's error is to a caller, and what to do about it.
func (e *Error) meaning() (advice string, kind error) {
	switch {
	case e.Code == "": // it was not the vendor that spoke, but something on the way
		return "", provider.ErrUnavailable
	case e.Status == http.StatusUnauthorized:
		return "make a new API token", provider.ErrAuth
	case e.Status == http.StatusForbidden:
		return "give the token the right to read and write servers and keys", provider.ErrPermission
	case e.Status == http.StatusNotFound:
		return "", provider.ErrNotFound
	case e.Code == "limit_reached":
		return "delete what is not needed, or ask for a higher limit", provider.ErrQuota
	case e.Code == "sold_out":
		return "choose another region or size, or try later", provider.ErrCapacity
	case e.Status == http.StatusConflict:
		return "", provider.ErrConflict
	case e.Status >= http.StatusInternalServerError:
		return "", provider.ErrUnavailable
	default:
		return "", provider.ErrInvalid
	}
}

// ambiguous reports whether nobody knows if a request took effect.
func ambiguous(err error) bool {
	var told *Error
	switch {
	case err == nil, errors.Is(err, provider.ErrRateLimit): // which is refused before it does anything
		return false
	case errors.As(err, &told):
		return told.Code == "" || told.Status >= http.StatusInternalServerError || told.Status == http.StatusConflict
	}
	return true
}

// ask sends a request and reads its answer, if it is to be read. Its error wraps
// one of package provider's and, where the vendor spoke, an *Error.
func (p *Provider) ask(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, p.cfg.Endpoint+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+p.cfg.Token.Reveal())
	resp, err := p.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var limit *provider.RateLimitError
		if errors.As(err, &limit) {
			return limit
		}
		return fmt.Errorf("%w: %w", provider.ErrUnavailable, err)
	}
	defer func() { _ = resp.Body.Close() }()
	const most = 8 << 20
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return fmt.Errorf("%w: the answer breaks off: %w", provider.ErrUnavailable, err)
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		told := &Error{Status: resp.StatusCode}
		_ = json.Unmarshal(text, told) // what is on the way answers in other words
		advice, kind := told.meaning()
		return cloud.Failure(kind, told, advice)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%w: the answer is no JSON: %w", provider.ErrUnavailable, err)
	}
	return nil
}

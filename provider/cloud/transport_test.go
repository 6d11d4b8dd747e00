package cloud_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// base answers with what it is told, each in its turn, and the last one for ever.
type base struct {
	answers []answer
	asked   int
	open    atomic.Int64 // bodies of answers that nobody closed
	read    atomic.Int64 // of them
}

type answer struct {
	status int
	header http.Header
	err    error
}

func (b *base) RoundTrip(r *http.Request) (*http.Response, error) {
	a := b.answers[min(b.asked, len(b.answers)-1)]
	b.asked++
	if r.Body != nil {
		_ = r.Body.Close()
	}
	if a.err != nil {
		return nil, a.err
	}
	b.open.Add(1)
	return &http.Response{
		StatusCode: a.status, Header: a.header, Request: r,
		Body: &body{Reader: strings.NewReader("answer"), base: b},
	}, nil
}

type body struct {
	io.Reader
	base   *base
	closed bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.base.read.Add(int64(n))
	return n, err
}

func (b *body) Close() error {
	if !b.closed {
		b.closed = true
		b.base.open.Add(-1)
	}
	return nil
}

var errBroken = errors.New("connection reset")

func newTransport(b *base) *cloud.Transport {
	return &cloud.Transport{Base: b, Limiter: cloud.NewLimiter(cloud.Limits{})}
}

func request(ctx context.Context, t *testing.T, method, text string) *http.Request {
	t.Helper()
	var body io.Reader
	if text != "" {
		body = strings.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://api.example.test/v1/servers", body)
	require.NoError(t, err)
	return r
}

func TestOnlyQuestionsAreAskedAgain(t *testing.T) {
	t.Parallel()
	fine := answer{status: http.StatusOK}
	for name, test := range map[string]struct {
		method, body string
		answers      []answer
		asked        int
		status       int // or an error
	}{
		"answered":                     {http.MethodGet, "", []answer{fine}, 1, http.StatusOK},
		"not found":                    {http.MethodGet, "", []answer{{status: http.StatusNotFound}}, 1, http.StatusNotFound},
		"another try works":            {http.MethodGet, "", []answer{{err: errBroken}, {status: http.StatusBadGateway}, fine}, 3, http.StatusOK},
		"the head too":                 {http.MethodHead, "", []answer{{err: errBroken}, fine}, 2, http.StatusOK},
		"none works":                   {http.MethodGet, "", []answer{{status: http.StatusServiceUnavailable}}, 3, http.StatusServiceUnavailable},
		"none is answered":             {http.MethodGet, "", []answer{{err: errBroken}}, 3, 0},
		"will never work":              {http.MethodGet, "", []answer{{status: http.StatusNotImplemented}}, 1, http.StatusNotImplemented},
		"a question with a body":       {http.MethodGet, "{}", []answer{{err: errBroken}, fine}, 1, 0},
		"a create that was not heard":  {http.MethodPost, "{}", []answer{{err: errBroken}, fine}, 1, 0},
		"a create that failed":         {http.MethodPost, "{}", []answer{{status: http.StatusServiceUnavailable}, fine}, 1, http.StatusServiceUnavailable},
		"a delete that was not heard":  {http.MethodDelete, "", []answer{{err: errBroken}, fine}, 1, 0},
		"an update that was not heard": {http.MethodPut, "{}", []answer{{err: errBroken}, fine}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &base{answers: test.answers}
				resp, err := newTransport(b).RoundTrip(request(t.Context(), t, test.method, test.body))
				require.Equal(t, test.asked, b.asked)
				if test.status == 0 {
					require.ErrorIs(t, err, errBroken)
					require.Zero(t, b.open.Load())
					return
				}
				require.NoError(t, err)
				require.Equal(t, test.status, resp.StatusCode)
				text, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.Equal(t, "answer", string(text), "the last answer is the caller's to read")
				require.NoError(t, resp.Body.Close())
				require.Zero(t, b.open.Load())
				require.Equal(t, int64(len("answer")*answered(test.answers, test.asked)), b.read.Load(), "others are read to the end")
			})
		})
	}
}

// answered is how many of the first n answers are no errors.
func answered(answers []answer, n int) (count int) {
	for i := range n {
		if answers[min(i, len(answers)-1)].err == nil {
			count++
		}
	}
	return count
}

// budget reads X-Left and X-Next, which is in seconds from now.
func budget(resp *http.Response) (int, time.Time, bool) {
	left, err := strconv.Atoi(resp.Header.Get("X-Left"))
	next, _ := strconv.Atoi(resp.Header.Get("X-Next"))
	return left, time.Now().Add(time.Duration(next) * time.Second), err == nil
}

func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header http.Header
		reset  time.Duration
	}{
		"says when":                    {http.Header{"X-Left": {"0"}, "X-Next": {"90"}}, 90 * time.Second},
		"says for how long":            {http.Header{"Retry-After": {"17"}}, 17 * time.Second},
		"is about another limit":       {http.Header{"X-Left": {"4000"}, "X-Next": {"3000"}}, time.Minute},
		"another, and says how long":   {http.Header{"X-Left": {"4000"}, "X-Next": {"3000"}, "Retry-After": {"5"}}, 5 * time.Second},
		"says nothing":                 {http.Header{}, time.Minute},
		"its clock is late":            {http.Header{"X-Left": {"0"}, "X-Next": {"-90"}}, time.Second},
		"a date that nobody asked for": {http.Header{"Retry-After": {"Fri, 31 Dec 1999 23:59:59 GMT"}}, time.Minute},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			t.Run(name+", "+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := &base{answers: []answer{{status: http.StatusTooManyRequests, header: test.header}, {status: http.StatusOK}}}
					transport := newTransport(b)
					transport.Budget = budget
					begin := time.Now()
					client := http.Client{Transport: transport} // as vendors' libraries have one
					resp, err := client.Do(request(t.Context(), t, method, ""))
					if err == nil {
						_ = resp.Body.Close()
					}
					var limit *provider.RateLimitError
					require.ErrorAs(t, err, &limit)
					require.Equal(t, begin.Add(test.reset), limit.Reset)
					require.Equal(t, 1, b.asked)
					require.Zero(t, b.open.Load())

					if test.reset > time.Second {
						_, err = transport.RoundTrip(request(t.Context(), t, method, "x")) //nolint:bodyclose // there is none
						require.ErrorIs(t, err, provider.ErrRateLimit)
						require.Equal(t, 1, b.asked, "nobody asks before")
					}
					time.Sleep(time.Until(limit.Reset))
					resp, err = transport.RoundTrip(request(t.Context(), t, method, ""))
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
				})
			})
		}
	}
}

// What the answers say is what the next request goes by.
func TestAnswersTellTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &base{answers: []answer{{status: http.StatusOK, header: http.Header{"X-Left": {"0"}, "X-Next": {"30"}}}}}
		transport := newTransport(b)
		transport.Budget = budget
		resp, err := transport.RoundTrip(request(t.Context(), t, http.MethodGet, ""))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())

		r := request(t.Context(), t, http.MethodPost, "x")
		closed := &body{Reader: strings.NewReader("x"), base: &base{}}
		r.Body = closed
		_, err = transport.RoundTrip(r) //nolint:bodyclose // there is none
		var limit *provider.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, 30*time.Second, time.Until(limit.Reset))
		require.Equal(t, 1, b.asked)
		require.True(t, closed.closed)
	})
}

func TestTransportHonoursItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &base{answers: []answer{{err: errBroken}}}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := newTransport(b).RoundTrip(request(ctx, t, http.MethodGet, "")) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 100*time.Millisecond, time.Since(begin))
		require.Equal(t, 1, b.asked)
		_, err = newTransport(b).RoundTrip(request(ctx, t, http.MethodPost, "x")) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, b.asked, "nothing is sent when it is over")
	})
}

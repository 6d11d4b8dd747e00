// Package fakecloud has what the fakes of clouds' APIs have in common: answers
// without a network, faults before and after the effect, and a check of every
// request and every answer against the vendor's description of its API.
package fakecloud

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// ErrLost is what a client sees of a request whose answer was lost.
var ErrLost = errors.New("the connection broke")

// Fault is what goes wrong with one request. The zero value is one that is
// answered.
type Fault struct {
	// Status answers in place of the API, with no more than this status. The
	// request has no effect, unless Lost is set.
	Status int
	// Lost loses the answer, or replaces it by Status; the request has its
	// effect.
	Lost bool
	// Cut breaks the connection before the request arrives.
	Cut bool
	// Delay is how long the request takes to arrive.
	Delay time.Duration
}

// Transport is an http.RoundTripper that has a handler answer, in this process
// and without a network, so that it works in a bubble of testing/synctest.
type Transport struct {
	Handler http.Handler
	// Fault decides what goes wrong with a request. Defaults to nothing.
	Fault func(*http.Request) Fault
	// Check sees every request that arrives with what the handler answers, and
	// the bodies of both. Defaults to no check.
	Check func(r *http.Request, asked []byte, answer *http.Response, answered []byte)
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var asked []byte
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		asked = body
	}
	var fault Fault
	if t.Fault != nil {
		fault = t.Fault(r)
	}
	if err := cloud.Sleep(r.Context(), fault.Delay); err != nil {
		return nil, err
	}
	if fault.Cut {
		return nil, ErrLost
	}
	if fault.Status != 0 && !fault.Lost {
		return bare(r, fault.Status), nil
	}
	resp := t.answer(r, asked)
	switch {
	case fault.Lost && fault.Status != 0:
		return bare(r, fault.Status), nil
	case fault.Lost:
		return nil, ErrLost
	}
	return resp, nil
}

// answer has the handler answer a request.
func (t *Transport) answer(r *http.Request, asked []byte) *http.Response {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.Body = io.NopCloser(bytes.NewReader(asked))
	rec := httptest.NewRecorder()
	t.Handler.ServeHTTP(rec, in)
	resp := rec.Result()
	resp.Request = r
	if t.Check != nil {
		t.Check(r, asked, resp, rec.Body.Bytes())
		resp.Body = io.NopCloser(bytes.NewReader(rec.Body.Bytes()))
	}
	return resp
}

func bare(r *http.Request, status int) *http.Response {
	rec := httptest.NewRecorder()
	rec.WriteHeader(status)
	resp := rec.Result()
	resp.Request = r
	return resp
}

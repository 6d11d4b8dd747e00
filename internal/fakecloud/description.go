package fakecloud

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Description is a vendor's description of its API by OpenAPI.
type Description struct {
	router routers.Router
}

// ParseDescription reads a description, such as internal/fakecloud/trim makes.
func ParseDescription(document []byte) (*Description, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, fmt.Errorf("read the API description: %w", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("read the API description: %w", err)
	}
	return &Description{router}, nil
}

// Check checks a request and its answer: path, query and body of the one, status
// and body of the other. What the description does not name is an error.
func (d *Description) Check(r *http.Request, asked []byte, answer *http.Response, answered []byte) error {
	r = r.Clone(context.WithoutCancel(r.Context()))
	r.Body = io.NopCloser(bytes.NewReader(asked))
	r.ContentLength = int64(len(asked))
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.Method, r.URL, err)
	}
	in := &openapi3filter.RequestValidationInput{
		Request:    r,
		PathParams: params,
		Route:      route,
		Options: &openapi3filter.Options{
			MultiError:                        true,
			IncludeResponseStatus:             true,
			RejectWhenRequestBodyNotSpecified: true,
			SkipSettingDefaults:               true,
			AuthenticationFunc:                openapi3filter.NoopAuthenticationFunc,
		},
	}
	for name := range r.URL.Query() {
		if !declared(route, name) {
			return fmt.Errorf("%s %s: the query has %q, which the description does not know", r.Method, r.URL, name)
		}
	}
	if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
		return fmt.Errorf("%s %s: request %s: %w", r.Method, r.URL, asked, err)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in,
		Status:                 answer.StatusCode,
		Header:                 answer.Header,
		Options:                in.Options,
	}
	out.SetBodyBytes(answered)
	if err := openapi3filter.ValidateResponse(r.Context(), out); err != nil {
		return fmt.Errorf("%s %s: answer %d %s: %w", r.Method, r.URL, answer.StatusCode, answered, err)
	}
	return nil
}

// declared reports whether an operation knows a parameter of the query.
func declared(route *routers.Route, name string) bool {
	return route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil ||
		route.PathItem.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) != nil
}

// Checker is a Transport.Check that fails a test by Check.
func (d *Description) Checker(t testing.TB) func(*http.Request, []byte, *http.Response, []byte) {
	return func(r *http.Request, asked []byte, answer *http.Response, answered []byte) {
		t.Helper()
		if err := d.Check(r, asked, answer, answered); err != nil {
			t.Errorf("not by the API description: %v", err)
		}
	}
}

package fakecloud_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
)

const things = `{
 "openapi": "3.0.0", "info": {"title": "things", "version": "1"}, "servers": [{"url": "https://api.example.test/v1"}],
 "paths": {
  "/things": {
   "get": {"parameters": [{"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1}}],
    "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}}}},
   "post": {"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/thing"}}}},
    "responses": {"204": {"description": ""}}}},
  "/things/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
    "responses": {"204": {"description": ""}}}},
  "/things/all": {"get": {"responses": {"204": {"description": ""}}}}},
 "components": {"schemas": {"thing": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "maxLength": 4}}}}}}`

func TestDescription(t *testing.T) {
	t.Parallel()
	d, err := fakecloud.ParseDescription([]byte(things))
	require.NoError(t, err)
	tests := map[string]struct {
		method, path, asked string
		status              int
		answered            string
		want                string // in the error; none when empty
	}{
		"valid":                 {"GET", "/things?page=2", "", 200, `{"name": "a"}`, ""},
		"valid body":            {"POST", "/things", `{"name": "a"}`, 204, "", ""},
		"valid id":              {"GET", "/things/7", "", 204, "", ""},
		"literal before id":     {"GET", "/things/all", "", 204, "", ""},
		"unknown path":          {"GET", "/thongs", "", 200, `{}`, "no matching operation"},
		"unknown method":        {"DELETE", "/things", "", 204, "", "method not allowed"},
		"unknown query":         {"GET", "/things?pgae=2", "", 200, `{"name": "a"}`, `"pgae"`},
		"query out of bounds":   {"GET", "/things?page=0", "", 200, `{"name": "a"}`, "page"},
		"id of another type":    {"GET", "/things/x", "", 204, "", "id"},
		"no body":               {"POST", "/things", "", 204, "", "body"},
		"body without a field":  {"POST", "/things", `{}`, 204, "", "name"},
		"body not asked for":    {"GET", "/things?page=2", `{}`, 200, `{"name": "a"}`, "body"},
		"unknown status":        {"GET", "/things", "", 418, `{"name": "a"}`, "status"},
		"answer without field":  {"GET", "/things", "", 200, `{}`, "name"},
		"answer out of bounds":  {"GET", "/things", "", 200, `{"name": "abcde"}`, "maximum"},
		"answer that is no one": {"GET", "/things", "", 200, ``, "body"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), test.method, "https://api.example.test/v1"+test.path, strings.NewReader(test.asked))
			r.Header.Set("Content-Type", "application/json")
			answer := &http.Response{StatusCode: test.status, Header: http.Header{"Content-Type": {"application/json"}}}
			err := d.Check(r, []byte(test.asked), answer, []byte(test.answered))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func TestRandomFaults(t *testing.T) {
	t.Parallel()
	draw := func(seed uint64) (all []fakecloud.Fault) {
		fault := fakecloud.RandomFaults(seed, 2)
		for range 100 {
			all = append(all, fault(nil))
		}
		return all
	}
	require.Equal(t, draw(1), draw(1))
	require.NotEqual(t, draw(1), draw(2))
	require.Contains(t, draw(1), fakecloud.Fault{})
	require.Contains(t, draw(1), fakecloud.Fault{Lost: true})
}

package hetzner_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	"github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
)

// Data centers are gone: to ask for one is against the description, and refused.
func TestNoDatacenter(t *testing.T) {
	t.Parallel()
	description, err := hetzner.Description()
	require.NoError(t, err)
	for field, valid := range map[string]bool{"location": true, "datacenter": false} {
		body := `{"name": "web-1", "server_type": "cx23", "image": 114690387, "` + field + `": "fsn1"}`
		var wrong error
		net := &fakecloud.Transport{Handler: hetzner.New(hetzner.Config{}), Check: func(r *http.Request, asked []byte, answer *http.Response, answered []byte) {
			wrong = description.Check(r, asked, answer, answered)
		}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://api.hetzner.cloud/v1/servers", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer token")
		r.Header.Set("Content-Type", "application/json")
		answer, err := net.RoundTrip(r)
		require.NoError(t, err)
		answered, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		if valid {
			require.NoError(t, wrong)
			require.Equal(t, http.StatusCreated, answer.StatusCode, "%s", answered)
			continue
		}
		require.ErrorContains(t, wrong, "datacenter")
		require.Equal(t, http.StatusBadRequest, answer.StatusCode, "%s", answered)
	}
}

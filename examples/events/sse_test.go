package main

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// A browser that comes back gets what it missed, and nothing twice.
func TestStreamGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	f, err := forge.New(forge.Config{
		Store:     memory.New(memory.Config{}),
		Providers: map[string]provider.Provider{"local": providertest.NewFake(providertest.FakeConfig{})},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	s := httptest.NewServer(handler(f))
	t.Cleanup(s.Close)

	answer, err := s.Client().Post(s.URL+"/servers", "", nil) //nolint:noctx // of the test's own server
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, "id: 1", ids(t, s, "", 2)[0])
	require.Equal(t, []string{"id: 2", "id: 3"}, ids(t, s, "1", 2))
}

// ids reads the ids of the first n events after the last one seen.
func ids(t *testing.T, s *httptest.Server, last string, n int) (found []string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/events", nil)
	require.NoError(t, err)
	r.Header.Set("Last-Event-ID", last)
	answer, err := s.Client().Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	for lines := bufio.NewScanner(answer.Body); len(found) < n && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "id: ") {
			found = append(found, lines.Text())
		}
	}
	return found
}

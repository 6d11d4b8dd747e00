package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// A reader who leaves is no error of the program, and gets no second status.
func TestReaderOfALogMayLeave(t *testing.T) {
	t.Parallel()
	f, err := forge.New(forge.Config{Store: memory.New(memory.Config{}), Providers: map[string]provider.Provider{
		"own": providertest.NewFake(providertest.FakeConfig{}),
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	_, action, err := f.For("acme").Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "own"})
	require.NoError(t, err)
	var log bytes.Buffer
	mux := http.NewServeMux()
	(&handlers{f, slog.New(slog.NewTextHandler(&log, nil))}).handle(mux)

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/actions/"+action.ID+"/log", nil)
	req.Header.Set("Account", "acme")
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, req)
	require.Equal(t, http.StatusOK, answer.Code)
	require.Empty(t, answer.Body.String())
	require.Empty(t, log.String())
}

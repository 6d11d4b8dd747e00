package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// embedder is a program that embeds forge.
type embedder struct {
	*forge.Forge
	machines *machines
	sealer   *planter

	mu     sync.Mutex
	stop   context.CancelFunc // ends the workers
	worked chan error
	log    strings.Builder // what an operator sees
}

func (e *embedder) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.Write(p)
}

// seen is what an operator has seen.
func (e *embedder) seen() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.log.String()
}

// start returns an embedding program whose workers run. maxLog is
// forge.Config.MaxLog.
func start(p *machines, maxLog int64) (*embedder, error) {
	e := &embedder{machines: p, sealer: &planter{Sealer: secret.NewEphemeral(), values: map[string]string{}}}
	f, err := forge.New(forge.Config{
		Store:     memory.New(memory.Config{}),
		MaxLog:    maxLog,
		Sealer:    e.sealer,
		Providers: map[string]provider.Provider{"local": p},
		Logger:    slog.New(slog.NewTextHandler(e, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		return nil, err
	}
	e.Forge = f
	e.work()
	return e, nil
}

// work starts the workers.
func (e *embedder) work() {
	ctx, stop := context.WithCancel(context.Background())
	e.stop, e.worked = stop, make(chan error, 1)
	go func(worked chan<- error) { worked <- e.Run(ctx) }(e.worked)
}

// rest ends the workers and waits until they are gone.
func (e *embedder) rest() error {
	e.stop()
	return <-e.worked
}

func (e *embedder) close() error { return errors.Join(e.rest(), e.Close()) }

// remove deletes a server.
func (e *embedder) remove(id string) error {
	ctx, cancel := context.WithTimeout(context.Background(), machineTimeout)
	defer cancel()
	action, err := e.Servers.Delete(ctx, id, &forge.DeleteOpts{Force: true})
	if err == nil {
		_, err = e.Actions.Wait(ctx, action.ID)
	}
	if err != nil {
		return fmt.Errorf("the server %s is left: %w", id, err)
	}
	return nil
}

// tail is an error with the end of an action's log.
func (e *embedder) tail(ctx context.Context, action string) error {
	var last []string
	for line, err := range e.Actions.Log(ctx, action, 0, 0) {
		if err != nil {
			return err
		}
		if last = append(last, line.Printable()); len(last) > 30 {
			last = last[1:]
		}
	}
	return fmt.Errorf("the end of its log:\n%s", strings.Join(last, "\n"))
}

// finish waits for an action, which must end as finished.
func (e *embedder) finish(t *testing.T, action *forge.Action, err error) {
	t.Helper()
	require.NoError(t, err)
	if _, err := e.Actions.Wait(t.Context(), action.ID); err != nil {
		t.Fatalf("%v; %v", err, e.tail(t.Context(), action.ID))
	}
}

// bash runs a script as root on a server and returns what it printed.
func (e *embedder) bash(t *testing.T, srv *forge.Server, script string, args ...string) string {
	t.Helper()
	return e.bashAs(t, srv, "root", script, args...)
}

func (e *embedder) bashAs(t *testing.T, srv *forge.Server, user, script string, args ...string) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	result, err := e.Servers.Run(ctx, srv.ID, forge.RunOpts{User: user, Script: script, Args: args})
	if err != nil && result != nil {
		t.Fatalf("%v\n%s%s", err, result.Stdout, result.Stderr)
	}
	require.NoError(t, err)
	return string(result.Stdout)
}

// lines are the texts of all stored lines of one type.
func (e *embedder) lines(t *testing.T, action string, kind forge.LineType) (texts []string) {
	t.Helper()
	next := int64(0)
	for line, err := range e.Actions.Log(t.Context(), action, 0, 0) {
		require.NoError(t, err)
		require.Equal(t, next, line.Number)
		next++
		if line.Type == kind {
			texts = append(texts, line.Text)
		}
	}
	return texts
}

// await follows an action until a line with this text.
func (e *embedder) await(t *testing.T, action, text string) {
	t.Helper()
	for line, err := range e.Actions.Follow(t.Context(), action, 0) {
		require.NoError(t, err)
		if line.Text == text {
			return
		}
	}
	t.Fatalf("the action ended without the line %q; %v", text, e.tail(t.Context(), action))
}

// page is the answer to a request.
type page struct {
	status int
	header http.Header
	body   string
}

// get fetches a page of a site as a browser would.
func get(t *testing.T, srv *forge.Server, host, path string) page {
	t.Helper()
	p, err := fetch(t, srv, host, path)
	require.NoError(t, err)
	return p
}

func fetch(t *testing.T, srv *forge.Server, host, path string) (page, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+srv.Address+path, nil)
	require.NoError(t, err)
	req.Host = host
	req.Close = true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return page{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return page{res.StatusCode, res.Header, string(body)}, err
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// process is a program that listens.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
}

// build builds a program in the folder of its source, and returns its file.
func build(t *testing.T, folder string) (program string, err error) {
	program = filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", folder, err, out)
	}
	return program, nil
}

// begin builds a program and starts it.
func begin(t *testing.T, folder string, env ...string) *process {
	t.Helper()
	program, err := build(t, folder)
	require.NoError(t, err)
	return start(t, program, env...)
}

func start(t *testing.T, program string, env ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.CommandContext(context.WithoutCancel(t.Context()), program, "-listen", "127.0.0.1:0")}
	p.cmd.Env = append(os.Environ(), env...)
	log, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	said := bufio.NewScanner(log)
	for said.Scan() {
		var line struct{ Listen string }
		require.NoError(t, json.Unmarshal(said.Bytes(), &line), "%s", said.Text())
		if line.Listen != "" {
			p.url = "http://" + line.Listen
			break
		}
		t.Log(said.Text())
	}
	require.NotEmpty(t, p.url, "it ended before it listened")
	go func() { _, _ = io.Copy(io.Discard, log) }()
	return p
}

// end tells the process to end, and waits for that.
func (p *process) end() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, p.cmd.Wait())
}

func (p *process) ask(method, account, path string, form url.Values) (status int, body string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(form.Encode()))
	require.NoError(p.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Account", account)
	req.Header.Set("User", "ada")
	res, err := http.DefaultClient.Do(req)
	require.NoError(p.t, err)
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	require.NoError(p.t, err)
	return res.StatusCode, string(text)
}

func (p *process) get(account, path string) (status int, body string) {
	p.t.Helper()
	return p.ask(http.MethodGet, account, path, nil)
}

// until asks until the answer is as it should be.
func (p *process) until(account, path string, right func(status int, body string) bool) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return right(p.get(account, path)) }, time.Minute, 50*time.Millisecond, path)
}

func is(want int) func(int, string) bool {
	return func(status int, _ string) bool { return status == want }
}

// TestWebAndWorkerProcess asks the web process for something that the worker
// process does, and lets the database of both go and come back.
func TestWebAndWorkerProcess(t *testing.T) {
	t.Parallel()
	pg := pgtest.Start(t, pgtest.Options{Durable: true})
	keys, err := tink.New()
	require.NoError(t, err)
	env := []string{"DATABASE_URL=" + pg.URL(), "FORGE_KEYSET=" + keys.Text().Reveal()}
	web, worker := begin(t, ".", env...), begin(t, "../worker", env...)
	for _, p := range []*process{web, worker} {
		status, _ := p.get("", "/healthz")
		require.Equal(t, http.StatusOK, status)
		status, _ = p.get("", "/readyz")
		require.Equal(t, http.StatusOK, status)
	}

	status, body := web.ask(http.MethodPost, "acme", "/servers", url.Values{"name": {"web-1"}, "address": {"192.0.2.7"}})
	require.Equal(t, http.StatusOK, status, body)
	require.NotContains(t, body, "PRIVATE")
	var made struct {
		Server forge.Server
		Action forge.Action
	}
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(body, `"[secret]"`, "null")), &made))
	require.Equal(t, "ada", made.Action.Actor)

	worker.until("", "/metrics", func(_ int, metrics string) bool {
		return strings.Contains(metrics, `forge_actions_ended_total{kind="provision_server"`)
	})
	web.until("acme", "/actions/"+made.Action.ID, func(_ int, action string) bool {
		return strings.Contains(action, `"Status":"running"`)
	})
	_, metrics := web.get("", "/metrics")
	for _, want := range []string{`forge_actions_asked_total{kind="provision_server"`, `forge_actions_open{kind="install_stack"`,
		`db_client_connection_count{`, "forge_ssh_connections{", "go_goroutines "} {
		require.Contains(t, metrics, want)
	}
	status, _ = web.get("other", "/actions/"+made.Action.ID)
	require.Equal(t, http.StatusNotFound, status)

	pg.Stop(t)
	for _, p := range []*process{web, worker} {
		p.until("", "/readyz", is(http.StatusServiceUnavailable))
		status, _ := p.get("", "/healthz")
		require.Equal(t, http.StatusOK, status)
	}
	pg.Start(t)
	for _, p := range []*process{web, worker} {
		p.until("", "/readyz", is(http.StatusOK))
	}

	// What could not be handed back while the database was away is held until its
	// lease is over. So the next turn of the work is waited for.
	store := connect(t, pg.URL())
	turns := func() (n int64) {
		for _, a := range open(t, store) {
			n += a.Epoch
		}
		return n
	}
	before := turns()
	require.Eventually(t, func() bool { return turns() > before }, time.Minute, 50*time.Millisecond)

	web.end()
	worker.end()
	requireHandedBack(t, pg.URL())
}

// requireHandedBack looks whether there is work, which nobody holds.
func requireHandedBack(t *testing.T, url string) {
	left := open(t, connect(t, url))
	require.NotEmpty(t, left)
	for _, a := range left {
		require.Empty(t, a.Holder, a.Kind)
	}
}

func connect(t *testing.T, url string) forge.Store {
	store, err := postgres.New(postgres.Config{Pool: pgtest.Pool(t, url)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// open are the actions that have not ended.
func open(t *testing.T, store forge.Store) (actions []*forge.Action) {
	require.NoError(t, store.View(t.Context(), func(tx forge.Tx) (err error) {
		actions, err = tx.Actions().List(forge.ActionFilter{Open: true}, forge.Page{})
		return err
	}))
	return actions
}

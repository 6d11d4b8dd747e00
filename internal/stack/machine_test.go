package stack_test

import (
	"bytes"
	"cmp"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/sshexec"
)

const (
	password      = "s3cret-Passw0rd"
	redisPassword = "an0ther-Passw0rd"
)

// machine is a fresh server.
type machine struct {
	*sshexec.Client
	addr string // without a port
	key  string // its control key
	box  *testmachine.Machine
	// redis is the password of Redis for the next install; empty for no file.
	redis string
}

func start(t *testing.T) *machine {
	t.Helper()
	m := testmachine.New(t)
	return &machine{m.SSH(t), m.Address, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(m.Signer.PublicKey()))), m, redisPassword}
}

// image is that of the machines of testmachine.
func image() string { return cmp.Or(os.Getenv("FORGE_TEST_IMAGE"), "debian-12") }

// bash runs a script as root, which must not fail.
func (m *machine) bash(t *testing.T, script string, args ...string) string {
	t.Helper()
	return m.bashAs(t, "root", script, args...)
}

// bashAs runs a script as a user, which must not fail.
func (m *machine) bashAs(t *testing.T, user, script string, args ...string) string {
	t.Helper()
	result, err := m.Run(t.Context(), sshexec.Command{User: user, Script: script, Args: args})
	require.NoError(t, err)
	return string(result.Stdout)
}

// fails runs a script as a user and returns what it printed on its way to fail.
func (m *machine) fails(t *testing.T, user, script string, args ...string) string {
	t.Helper()
	result, err := m.Run(t.Context(), sshexec.Command{User: user, Script: script, Args: args})
	var exit *sshexec.ExitError
	require.ErrorAs(t, err, &exit, "it did not fail: %s", script)
	return string(result.Stdout) + string(result.Stderr)
}

// install runs the script of a config and returns its log.
func (m *machine) install(t *testing.T, c stack.Config, watch ...trigger) (string, sshexec.RunStatus) {
	t.Helper()
	c.ControlKey = m.key
	script, err := stack.Build(c)
	require.NoError(t, err)
	files := map[string][]byte{stack.PasswordFile: []byte(password + "\n")}
	if m.redis != "" {
		files[stack.RedisPasswordFile] = []byte(m.redis + "\n")
	}
	log := &follower{watch: watch}
	status, err := m.Attach(t.Context(), sshexec.RunSpec{
		ID:     "stack-" + uuid.NewString(),
		Script: script.Bytes,
		Files:  files,
	}, 0, log)
	require.NoError(t, err)
	text := log.String()
	require.NotContains(t, text, password)
	require.NotContains(t, text, redisPassword)
	steps := 0
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "step ") && !strings.Contains(line, "failed") {
			require.Equal(t, "step "+strconv.Itoa(steps+1)+" of "+strconv.Itoa(len(script.Steps))+": "+script.Steps[steps]+"\n", line)
			steps++
		}
	}
	return text, status
}

func (m *machine) mustInstall(t *testing.T, c stack.Config) string {
	t.Helper()
	began := time.Now()
	log, status := m.install(t, c)
	require.Equal(t, sshexec.RunExited, status.State)
	require.Zero(t, status.ExitCode, "%s", tail(log))
	t.Logf("installed in %s: %s", time.Since(began).Round(time.Second), slow(log))
	return log
}

// slow lists the steps that took a second or more.
func slow(log string) string {
	var steps []string
	name := ""
	for line := range strings.Lines(log) {
		if _, after, found := strings.Cut(strings.TrimSpace(line), ": "); found && strings.HasPrefix(line, "step ") {
			name = after
		}
		if took, found := strings.CutPrefix(strings.TrimSpace(line), "done in "); found && took != "0 s" {
			steps = append(steps, name+" "+took)
		}
	}
	return strings.Join(steps, ", ")
}

func tail(log string) string { return log[max(0, len(log)-4000):] }

// trigger is what is done, once, when a text appears in a log.
type trigger struct {
	text string
	do   func()
}

// follower keeps a log and pulls triggers.
type follower struct {
	mu    sync.Mutex
	log   bytes.Buffer
	watch []trigger
}

func (f *follower) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log.Write(p)
	for len(f.watch) > 0 && bytes.Contains(f.log.Bytes(), []byte(f.watch[0].text)) {
		do := f.watch[0].do
		f.watch = f.watch[1:]
		do()
	}
	return len(p), nil
}

func (f *follower) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.log.String()
}

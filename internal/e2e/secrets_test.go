package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// spy looks at the arguments and the environment of every process of this
// computer, which those of its machines are too, for secrets.
type spy struct {
	stop    context.CancelFunc
	files   []string // of a process's directory in /proc
	watcher sync.WaitGroup
	looks   int
	found   []string
}

func watchProcesses(secrets ...string) *spy {
	return watchFiles([]string{"cmdline", "environ"}, secrets...)
}

func watchFiles(files []string, secrets ...string) *spy {
	ctx, stop := context.WithCancel(context.Background())
	s := &spy{stop: stop, files: files}
	s.watcher.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			s.look(secrets)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return s
}

func (s *spy) look(secrets []string) {
	s.looks++
	for _, name := range s.files {
		files, _ := filepath.Glob("/proc/[0-9]*/" + name)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				continue // it has ended
			}
			for _, secret := range secrets {
				if bytes.Contains(data, []byte(secret)) {
					s.found = append(s.found, strings.ReplaceAll(string(data), secret, "SECRET"))
				}
			}
		}
	}
}

// end ends the watching.
func (s *spy) end() {
	s.stop()
	s.watcher.Wait()
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	credentials, err := e.Servers.Credentials(t.Context(), srv.ID)
	require.NoError(t, err)
	require.Equal(t, "forge", credentials.DatabaseUser)
	database, redis := credentials.DatabasePassword.Reveal(), credentials.RedisPassword.Reveal()

	canary := watchProcesses("e2e-canary")
	e.bash(t, srv, "bash -c 'sleep 1; true' e2e-canary")
	canary.end()
	require.NotEmpty(t, canary.found, "what the spy would have seen")
	require.Empty(t, shared.spy.found, "in the arguments or the environment of a process during the install")
	t.Logf("looked at all processes %d times during the install", shared.spy.looks)

	for _, password := range []string{database, redis} {
		require.GreaterOrEqual(t, len(password), 20)
		require.NotContains(t, e.seen(), password)
		for action, err := range e.Actions.All(t.Context(), forge.ActionFilter{Server: srv.ID}) {
			require.NoError(t, err)
			for line, err := range e.Actions.Log(t.Context(), action.ID, 0, 0) {
				require.NoError(t, err)
				require.NotContains(t, line.Text, password, action.Kind)
			}
		}
		require.Empty(t, e.bashWith(t, srv, "root", password, `umask 077; cat >/run/pattern; trap 'rm /run/pattern' EXIT
find / -xdev \( -path /proc -o -path /sys \) -prune -o -type f -perm /007 -print0 | xargs -0 grep -lF -f /run/pattern -- || true`),
			"files with it that everybody reads")

		// Also where somebody prints it.
		e.bashWith(t, srv, "forge", password, "umask 077; cat >~/password")
		action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: "forge", Command: `echo "it is $(cat ~/password)!"; rm ~/password`})
		e.finish(t, action, err)
		printed := e.lines(t, action.ID, forge.LineOutput)
		require.Len(t, printed, 1)
		require.Regexp(t, `^it is .+!$`, printed[0])
		require.NotContains(t, printed[0], password)
	}

	// They are the right ones.
	e.bashWith(t, srv, "forge", "[client]\nuser=forge\npassword="+database+"\n", `umask 077; cat >~/client; trap 'rm ~/client' EXIT
mariadb --defaults-extra-file="$HOME/client" --host=127.0.0.1 -e 'CREATE DATABASE e2e; DROP DATABASE e2e'`)
	require.Equal(t, "OK\nPONG\n", e.bashWith(t, srv, "forge", "AUTH "+redis+"\nPING\n", "redis-cli"))
}

// bashWith runs a script as a user with something on its standard input.
func (e *embedder) bashWith(t *testing.T, srv *forge.Server, user, stdin, script string) string {
	t.Helper()
	result, err := e.Servers.Run(t.Context(), srv.ID, forge.RunOpts{User: user, Script: script, Stdin: strings.NewReader(stdin)})
	require.NoError(t, err)
	return string(result.Stdout)
}

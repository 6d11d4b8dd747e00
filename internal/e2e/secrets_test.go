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
// computer, which those of its machines are too, for a secret.
type spy struct {
	stop    context.CancelFunc
	watcher sync.WaitGroup
	looks   int
	found   []string
}

func watchProcesses(secret string) *spy {
	ctx, stop := context.WithCancel(context.Background())
	s := &spy{stop: stop}
	s.watcher.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			s.look(secret)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return s
}

func (s *spy) look(secret string) {
	s.looks++
	for _, name := range []string{"cmdline", "environ"} {
		files, _ := filepath.Glob("/proc/[0-9]*/" + name)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err == nil && bytes.Contains(data, []byte(secret)) {
				s.found = append(s.found, strings.ReplaceAll(string(data), secret, "SECRET"))
			}
		}
	}
}

// end ends the watching.
func (s *spy) end() {
	s.stop()
	s.watcher.Wait()
}

func TestDatabasePassword(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	credentials, err := e.Servers.Credentials(t.Context(), srv.ID)
	require.NoError(t, err)
	require.Equal(t, "forge", credentials.DatabaseUser)
	password := credentials.DatabasePassword.Reveal()
	require.GreaterOrEqual(t, len(password), 20)

	require.Empty(t, shared.spy.found, "in the arguments or the environment of a process during the install")
	t.Logf("looked at all processes %d times during the install", shared.spy.looks)
	canary := watchProcesses("e2e-canary")
	e.bash(t, srv, "bash -c 'sleep 1; true' e2e-canary")
	canary.end()
	require.NotEmpty(t, canary.found, "what it would have seen")

	for action, err := range e.Actions.All(t.Context(), forge.ActionFilter{Server: srv.ID}) {
		require.NoError(t, err)
		for line, err := range e.Actions.Log(t.Context(), action.ID, 0) {
			require.NoError(t, err)
			require.NotContains(t, line.Text, password, action.Kind)
		}
	}
	require.NotContains(t, e.seen(), password)

	login := func(password string) error {
		_, err := e.Servers.Run(t.Context(), srv.ID, forge.RunOpts{
			User: "forge", Script: `umask 077; cat >~/client; trap 'rm ~/client' EXIT
mariadb --defaults-extra-file="$HOME/client" --host=127.0.0.1 -e 'CREATE DATABASE IF NOT EXISTS e2e; DROP DATABASE e2e'`,
			Stdin: strings.NewReader("[client]\nuser=forge\npassword=" + password + "\n"),
		})
		return err
	}
	require.NoError(t, login(password))
	require.Error(t, login("x"+password))

	// Also where somebody prints it.
	_, err = e.Servers.Run(t.Context(), srv.ID, forge.RunOpts{
		User: "forge", Script: "umask 077; cat >~/password", Stdin: strings.NewReader(password + "\n"),
	})
	require.NoError(t, err)
	action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: "forge", Command: `echo "it is $(cat ~/password)!"; rm ~/password`})
	e.finish(t, action, err)
	printed := e.lines(t, action.ID, forge.LineOutput)
	require.Len(t, printed, 1)
	require.Regexp(t, `^it is .+!$`, printed[0])
	require.NotContains(t, printed[0], password)

	readable, err := e.Servers.Run(t.Context(), srv.ID, forge.RunOpts{
		User: "root", Stdin: strings.NewReader(password + "\n"),
		Script: `umask 077; cat >/run/pattern; trap 'rm /run/pattern' EXIT
find / -xdev \( -path /proc -o -path /sys \) -prune -o -type f -perm /077 -print0 | xargs -0 grep -lF -f /run/pattern -- || true`,
	})
	require.NoError(t, err)
	require.Empty(t, string(readable.Stdout), "files with it that not only root reads")
}

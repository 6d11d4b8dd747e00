// Package servertest runs the commands of a test on a real server, which the
// tests of a package share.
package servertest

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Server is a machine with nginx, PHP-FPM and git.
type Server struct {
	Client *sshexec.Client
	PHP    string // version, as "8.2"
}

// Start returns the server of the package's tests, which have to end by Main.
// It skips the test where there can be none, unless FORGE_TEST_MACHINES is 1.
func Start(t testing.TB) *Server {
	t.Helper()
	theMachine.once.Do(theMachine.boot)
	if missing := theMachine.missing; missing != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), missing.Error())
		t.Skip(missing)
	}
	require.NoError(t, theMachine.err)
	return theMachine.server
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

// Run runs a command and returns what it printed.
func (s *Server) Run(t testing.TB, cmd sshexec.Command) (string, error) {
	t.Helper()
	result, err := s.Client.Run(context.WithoutCancel(t.Context()), cmd)
	if result == nil {
		return "", err
	}
	return string(result.Stdout), err
}

// Bash runs a script as root, which must not fail.
func (s *Server) Bash(t testing.TB, script string, args ...string) string {
	t.Helper()
	return s.BashAs(t, "root", script, args...)
}

// BashAs runs a script as a user, which must not fail.
func (s *Server) BashAs(t testing.TB, user, script string, args ...string) string {
	t.Helper()
	out, err := s.Run(t, sshexec.Command{User: user, Script: script, Args: args})
	require.NoError(t, err)
	return out
}

// Put writes a file as root.
func (s *Server) Put(t testing.TB, file, content string) error {
	t.Helper()
	_, err := s.Run(t, sshexec.Command{Script: `cat >"$1"`, Args: []string{file}, Stdin: strings.NewReader(content)})
	return err
}

// Get reads a file as root.
func (s *Server) Get(t testing.TB, file string, w io.Writer) error {
	t.Helper()
	_, err := s.Run(t, sshexec.Command{Script: `cat -- "$1"`, Args: []string{file}, Stdout: w})
	return err
}

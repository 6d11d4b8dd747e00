// Package servertest runs the commands of a test on a real server.
package servertest

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Server is a machine with nginx, PHP-FPM 8.2 and git.
type Server struct {
	Client *sshexec.Client
}

// Start returns a server.
func Start(t testing.TB) *Server {
	pem, err := os.ReadFile("/root/.ssh/id_ed25519")
	require.NoError(t, err)
	signer, err := ssh.ParsePrivateKey(pem)
	require.NoError(t, err)
	client, err := sshexec.Dial(t.Context(), sshexec.Target{
		Addr: os.Getenv("DEVADDR"), User: "root", Signers: []ssh.Signer{signer}, HostKeys: sshexec.FirstUse(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return &Server{client}
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

// Package servertest gives tests a server with nginx, PHP-FPM and git.
package servertest

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// Server is a machine with nginx, PHP-FPM and git, set up as the stack does.
type Server struct {
	*testmachine.Machine
	Client *sshexec.Client
	PHP    string // version, as "8.2"
}

const setUp = `
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends nginx php-fpm git curl openssh-client >/dev/null
install -d -m 0755 /etc/nginx/forge.d
rm -f /etc/nginx/sites-enabled/default
cat >/etc/nginx/conf.d/forge.conf <<'END'
server_names_hash_bucket_size 512;
server { listen 80 default_server; listen [::]:80 default_server; return 444; }
include /etc/nginx/forge.d/*.conf;
END
nginx -t -q
systemctl reload-or-restart nginx`

// Start returns a server that is the test's own and goes with it. It skips or
// fails the test as testmachine does.
func Start(t testing.TB) *Server {
	t.Helper()
	machine := testmachine.Layered(t, testmachine.Layer{
		Name: "site", Version: setUp,
		Prepare: func(m *testmachine.Machine) error {
			_, err := m.Run(t.Context(), sshexec.Command{Script: setUp})
			return err
		},
	})
	s := &Server{Machine: machine, Client: machine.SSH(t)}
	s.PHP = strings.TrimSpace(s.Bash(t, `version=$(ls /etc/php); systemctl start nginx "php$version-fpm"; echo "$version"`))
	return s
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

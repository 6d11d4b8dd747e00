// Package githost gives tests a git server over https that asks for a login and
// has large files, as the hosting services do.
package githost

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/http/cgi" //nolint:gosec // its fault was mended in Go 1.6.3
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Server is a git server in the process of the test.
type Server struct {
	URL string // https://address:port
	CA  string // what its certificate is trusted by, PEM

	dir string // of the bare repositories
	git *cgi.Handler

	mu       sync.Mutex
	want     string // the only Authorization that opens it; empty lets everybody in
	seen     []string
	redirect string
	objects  map[string]string // large files by their hash
}

// Start returns a server that listens at an address of this computer, such as
// [Gateway] gives, and ends with the test.
func Start(t testing.TB, address string) *Server {
	t.Helper()
	program, err := exec.LookPath("git")
	require.NoError(t, err)
	s := &Server{dir: t.TempDir(), objects: map[string]string{}}
	s.git = &cgi.Handler{
		Path: program, Args: []string{"http-backend"}, Root: "/", Dir: s.dir,
		Env: []string{"GIT_PROJECT_ROOT=" + s.dir, "GIT_HTTP_EXPORT_ALL=1"}, Logger: discard(),
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
	require.NoError(t, err)
	web := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	require.NoError(t, web.Listener.Close())
	web.Listener = listener
	web.Config.ErrorLog = discard()
	web.TLS, s.CA = certificate(t, address)
	web.StartTLS()
	t.Cleanup(web.Close)
	s.URL = "https://" + listener.Addr().String()
	return s
}

// Gateway is a script that prints this computer's address as a machine of the
// nspawn provider sees it.
const Gateway = `ip -4 route show default | awk '{printf "%s", $3; exit}'`

// Trust is a script that makes a machine trust the certificate on its stdin.
const Trust = `cat >"/usr/local/share/ca-certificates/$1.crt"
update-ca-certificates >/dev/null 2>&1`

// Require lets in whoever logs in so, and nobody else. It returns the value of
// the Authorization header that does it.
func (s *Server) Require(user, token string) string {
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+token))
	s.set(func() { s.want = header })
	return header
}

// RedirectTo answers every request with a redirect to another server.
func (s *Server) RedirectTo(url string) { s.set(func() { s.redirect = url }) }

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Seen are the values of the Authorization header that came, none of them empty.
func (s *Server) Seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	got, want, redirect := r.Header.Get("Authorization"), s.want, s.redirect
	if got != "" {
		s.seen = append(s.seen, got)
	}
	s.mu.Unlock()
	switch {
	case redirect != "":
		http.Redirect(w, r, redirect+r.URL.RequestURI(), http.StatusFound)
	case want != "" && got != want:
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		http.Error(w, "log in first", http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/info/lfs/objects/batch"):
		s.batch(w, r)
	case strings.HasPrefix(r.URL.Path, "/objects/"):
		s.download(w, r)
	default:
		s.git.ServeHTTP(w, r)
	}
}

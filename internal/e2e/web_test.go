package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// web is an HTTP server of the test process that machines reach: a proxy, or a
// mirror of packages.
type web struct {
	url string

	mu   sync.Mutex
	seen []string // hosts or paths that were asked for
}

func (w *web) see(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.seen, what) {
		w.seen = append(w.seen, what)
	}
}

func (w *web) saw(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.seen, func(s string) bool { return strings.Contains(s, what) })
}

// serve listens on the address of this host that machines reach.
func (w *web) serve(t *testing.T, handler http.Handler) {
	t.Helper()
	probe, err := net.Dial("udp", "192.0.2.1:9") // sends nothing
	require.NoError(t, err)
	host, _, err := net.SplitHostPort(probe.LocalAddr().String())
	require.NoError(t, err)
	require.NoError(t, probe.Close())
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	require.NoError(t, err)
	server := &http.Server{Handler: handler}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { _ = server.Close(); served.Wait() })
	w.url = "http://" + listener.Addr().String()
}

// newProxy is a proxy of HTTP with CONNECT. It knows no host below "invalid".
func newProxy(t *testing.T) *web {
	t.Helper()
	w := &web{}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	forward := &httputil.ReverseProxy{Transport: transport, Rewrite: func(*httputil.ProxyRequest) {}}
	w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		w.see(req.Host)
		switch {
		case strings.Contains(req.Host, ".invalid"):
			http.Error(rw, "no such host", http.StatusBadGateway)
		case req.Method == http.MethodConnect:
			tunnel(rw, req)
		default:
			forward.ServeHTTP(rw, req)
		}
	}))
	return w
}

func tunnel(rw http.ResponseWriter, req *http.Request) {
	there, err := net.Dial("tcp", req.Host)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = there.Close() }()
	here, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = here.Close() }()
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(there, buffered)
		_ = there.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	_, _ = io.Copy(here, there)
	_ = here.Close()
	<-done
}

// archiveHost is the host of the first of apt's sources.
func archiveHost(sources string) string {
	_, rest, _ := strings.Cut(sources, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}

// newMirror serves the archive of apt's sources as a mirror inside a company does.
func newMirror(t *testing.T, sources string) *web {
	t.Helper()
	w := &web{}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	t.Cleanup(transport.CloseIdleConnections)
	archive, err := url.Parse("http://" + archiveHost(sources))
	require.NoError(t, err)
	forward := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(archive)
	}}
	w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		w.see(req.URL.Path)
		forward.ServeHTTP(rw, req)
	}))
	w.url += "/debian"
	return w
}

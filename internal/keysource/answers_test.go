package keysource_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/keysource"
	"github.com/seed-797f2c2c/forge/internal/validate"
)

func TestAnswersThatAreNoDocument(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		err     string
		missing bool
	}{
		"none":        {status(404), "keys.example.com: it answered with 404", true},
		"gone":        {status(410), "keys.example.com: it answered with 410", true},
		"forbidden":   {status(403), "keys.example.com: it answered with 403", false},
		"crowded":     {status(429), "keys.example.com: it answered with 429", false},
		"broken":      {status(500), "keys.example.com: it answered with 500", false},
		"empty":       {status(204), "keys.example.com: it answered with 204", false},
		"no location": {status(302), "keys.example.com: it answered with 302", false},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("ssh-ed25519"))
		}, "keys.example.com: it closed the connection", false},
		"hung up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			"keys.example.com: it closed the connection", false},
		"long headers": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
			"keys.example.com: it does not speak HTTP over TLS as it should", false},
	} {
		h := serve(t, tt.handler)
		_, err := h.Fetch(t.Context(), url+"?token="+secret)
		var failed *keysource.Error
		require.ErrorAs(t, err, &failed, name)
		require.EqualError(t, err, tt.err, name)
		require.Equal(t, tt.missing, failed.Missing, name)
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		rule    string
	}{
		"web page": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "Text/HTML; charset=utf-8")
		}, "is a web page"},
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for w.Header().Set("Content-Type", "text/plain"); ; {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "at most 262144 bytes"},
		"one byte too many": {text(strings.Repeat("\n", keysource.MaxDocument+1)), "at most 262144 bytes"},
	} {
		h := serve(t, tt.handler)
		_, err := h.Fetch(t.Context(), url)
		var bad *validate.Error
		require.ErrorAs(t, err, &bad, name)
		require.Equal(t, "document", bad.Field)
		require.Contains(t, bad.Rule, tt.rule, name)
	}
	h := serve(t, text(strings.Repeat("\n", keysource.MaxDocument)))
	got, err := h.Fetch(t.Context(), url)
	require.NoError(t, err)
	require.Len(t, got, keysource.MaxDocument)
}

func TestConnectionsThatFail(t *testing.T) {
	t.Parallel()
	h := serve(t, text("a document"))
	plain := httptest.NewServer(text("a document"))
	t.Cleanup(plain.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	to := func(l net.Listener) keysource.Source {
		return keysource.Source{Roots: h.Roots, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		}}
	}
	for name, tt := range map[string]struct {
		source keysource.Source
		url    string
		err    string
	}{
		"unknown authority": {keysource.Source{Dial: h.Dial}, url, "keys.example.com: its certificate is not valid"},
		"another's name":    {h.Source, "https://example.org/" + secret, "example.org: its certificate is not valid"},
		"no name":           {keysource.Source{Dial: keysource.Guarded(names(t, nil), "443")}, url, "keys.example.com: its name could not be resolved"},
		"nobody listens":    {to(closed), url, "keys.example.com: connection refused"},
		"no TLS":            {to(plain.Listener), url, "keys.example.com: it does not speak HTTP over TLS as it should"},
	} {
		_, err := tt.source.Fetch(t.Context(), tt.url)
		require.EqualError(t, err, tt.err, name)
		require.ErrorAs(t, err, new(*keysource.Error), name)
	}
}

// slow is a source whose host does what serve does with each connection, and
// says when it has.
func slow(serve func(conn net.Conn)) (keysource.Source, *sync.WaitGroup) {
	var served sync.WaitGroup
	return keysource.Source{Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		served.Go(func() {
			defer func() { _ = theirs.Close() }()
			serve(theirs)
		})
		return ours, nil
	}}, &served
}

// Nobody holds a fetch up: not in the handshake, nor by a byte at a time.
func TestTimeLimit(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	certificate, parsed := server.TLS.Certificates[0], server.Certificate()
	server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	for name, serve := range map[string]func(net.Conn){
		"handshake": func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
		"body": func(raw net.Conn) {
			conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
			for ; err == nil; _, err = io.WriteString(conn, "#") {
				time.Sleep(time.Second)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			source, served := slow(serve)
			source.Roots = roots
			defer served.Wait()
			begin := time.Now()
			_, err := source.Fetch(t.Context(), url)
			require.EqualError(t, err, "keys.example.com: it took longer than 10s", name)
			require.Equal(t, keysource.TimeLimit, time.Since(begin))

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err = source.Fetch(ctx, url)
			require.Equal(t, context.DeadlineExceeded, err, "%s: the caller's own limit is the caller's", name)
			require.Equal(t, keysource.TimeLimit+time.Second, time.Since(begin))
		})
	}
}

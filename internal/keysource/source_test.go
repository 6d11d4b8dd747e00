package keysource_test

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"code.dny.dev/ssrf"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/keysource"
	"github.com/seed-797f2c2c/forge/internal/validate"
)

const (
	url    = "https://keys.example.com/ann.keys"
	secret = "s3cr3t" // in addresses, and never in an error
)

// host is a server on the loopback with a certificate for *.example.com.
type host struct {
	keysource.Source
	port  string
	dials atomic.Int32 // that reached it
}

func serve(t *testing.T, handler http.HandlerFunc) *host {
	t.Helper()
	h := &host{}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			h.dials.Add(1)
		}
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	_, h.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	h.Source = keysource.Source{Roots: roots, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}}
	return h
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(body))
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	var asked *http.Request
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r
		text("a document")(w, r)
	})
	got, err := h.Fetch(t.Context(), "https://Keys.Example.com:443/ann.keys?token=1")
	require.NoError(t, err)
	require.Equal(t, "a document", string(got))
	require.Equal(t, "keys.example.com", asked.Host)
	require.Equal(t, "/ann.keys?token=1", asked.RequestURI)
	for _, header := range []string{"Cookie", "Authorization", "Referer", "Accept-Encoding"} {
		require.Empty(t, asked.Header.Get(header), header)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	t.Parallel()
	h := serve(t, text("a document"))
	for at, rule := range map[string]string{
		"":                                                 "is required",
		"ann.keys":                                         "must begin with https://",
		"http://keys.example.com/" + secret:                "must begin with https://",
		"file:///etc/passwd":                               "must begin with https://",
		"//keys.example.com/":                              "must begin with https://",
		"https:keys.example.com":                           "must have a host",
		"https:///ann.keys":                                "must have a host",
		"https://keys.example.com/%zz" + secret:            "must be a URL",
		"https://keys.example.com/\n":                      "must be a URL",
		"https://keys.example.com:8443/":                   "another port than 443",
		"https://keys.example.com:22/":                     "another port than 443",
		"https://ann:" + secret + "@example.com":           "credentials",
		"https://" + secret + "@example.com":               "credentials",
		"https://example.com/#" + secret:                   "fragment",
		"https://127.0.0.1/":                               "must not be an IP address",
		"https://1.1.1.1/":                                 "must not be an IP address",
		"https://127.1/":                                   "must not be an IP address",
		"https://0x7f000001/":                              "must not be an IP address",
		"https://2130706433/":                              "must not be an IP address",
		"https://[::1]/":                                   "must not be an IP address",
		"https://[::ffff:169.254.169.254]/":                "must not be an IP address",
		"https://[fe80::1%25eth0]/":                        "must not be an IP address",
		"https://localhost/":                               "must have a dot",
		"https://localhost./":                              "must have a dot",
		"https://a_b.example.com/":                         "must have only letters",
		"https://example.com/" + strings.Repeat("x", 2048): "at most 2048 characters",
	} {
		_, err := h.Fetch(t.Context(), at)
		var bad *validate.Error
		require.ErrorAs(t, err, &bad, at)
		require.Equal(t, "url", bad.Field)
		require.Contains(t, bad.Rule, rule, at)
		require.NotContains(t, err.Error(), secret)
	}
	require.Zero(t, h.dials.Load())
}

// Whatever a name resolves to, what is not public is not reached, though it
// listens and its certificate is good.
func TestNamesOfAddressesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	h := serve(t, text("a document"))
	for name, addr := range map[string]string{
		"a.example.com": "127.0.0.1", "b.example.com": "::1", "c.example.com": "169.254.169.254", "d.example.com": "10.0.0.1",
		"e.example.com": "100.64.0.1", "f.example.com": "64:ff9b::7f00:1", "g.example.com": "::ffff:127.0.0.1", "h.example.com": "0.0.0.0",
	} {
		h.Dial = keysource.Guarded(names(t, map[string]string{name + ".": addr}), h.port)
		_, err := h.Fetch(t.Context(), "https://"+name+"/"+secret)
		var bad *validate.Error
		require.ErrorAs(t, err, &bad, addr)
		require.EqualError(t, err, "url: must lead to an address of the public internet", "and nothing of what is inside")
	}
	require.Zero(t, h.dials.Load())
}

// A Source without a dialler has the guarded one.
func TestZeroSourceIsGuarded(t *testing.T) {
	t.Parallel()
	h := serve(t, text("a document"))
	for _, name := range []string{"localhost", "127.0.0.1", "::ffff:127.0.0.1"} {
		_, err := keysource.Dialler(keysource.Source{})(t.Context(), "tcp", net.JoinHostPort(name, h.port))
		require.ErrorIs(t, err, ssrf.ErrProhibitedIP, name)
	}
	require.Zero(t, h.dials.Load())
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for _, refused := range []string{
		"0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9", "168.63.129.16", "169.254.169.254", "172.16.0.1",
		"172.31.255.255", "192.0.0.192", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1",
		"2001:db8::1", "2002:7f00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
	} {
		network := "tcp4"
		if strings.Contains(refused, ":") {
			network = "tcp6"
		}
		require.Error(t, keysource.Guard(network, net.JoinHostPort(refused, "443")), refused)
	}
	for network, public := range map[string]string{"tcp4": "140.82.121.3:443", "tcp6": "[2606:50c0:8000::153]:443"} {
		require.NoError(t, keysource.Guard(network, public))
	}
	require.Error(t, keysource.Guard("udp4", "140.82.121.3:443"))
}

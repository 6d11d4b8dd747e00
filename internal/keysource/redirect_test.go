package keysource_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/keysource"
	"github.com/seed-797f2c2c/forge/internal/validate"
)

func TestRedirects(t *testing.T) {
	t.Parallel()
	var referers []string
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		referers = append(referers, r.Referer())
		var left int
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &left); err == nil && left > 0 {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
			http.Redirect(w, r, fmt.Sprintf("https://other.example.com/%d", left-1), http.StatusFound)
			return
		}
		text("a document"+r.Header.Get("Cookie"))(w, r)
	})
	got, err := h.Fetch(t.Context(), "https://keys.example.com/3?token="+secret)
	require.NoError(t, err)
	require.Equal(t, "a document", string(got))
	require.Equal(t, []string{"", "", "", ""}, referers)

	_, err = h.Fetch(t.Context(), "https://keys.example.com/4")
	require.EqualError(t, err, "url: must not be redirected more than 3 times")
}

func TestRedirectsThatAreRefused(t *testing.T) {
	t.Parallel()
	for to, rule := range map[string]string{
		"http://keys.example.com/" + secret:                     "must begin with https://",
		"file:///etc/passwd":                                    "must begin with https://",
		"https://169.254.169.254/latest/meta-data":              "must not be an IP address",
		"//169.254.169.254/latest/meta-data":                    "must not be an IP address",
		"https://127.0.0.1/":                                    "must not be an IP address",
		"https://[::1]/":                                        "must not be an IP address",
		"https://localhost/":                                    "must have a dot",
		"https://keys.example.com:8443/":                        "another port than 443",
		"https://ann:" + secret + "@keys.example.com/":          "credentials",
		"https://metadata.example.com/latest/meta-data":         "must lead to an address of the public internet",
		"https://loopback.example.com/" + secret:                "must lead to an address of the public internet",
		"https://keys.example.com/" + strings.Repeat("x", 2048): "at most 2048 characters",
	} {
		h := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Host != "keys.example.com" || r.URL.Path != "/ann.keys" {
				text("reached")(w, r)
				return
			}
			http.Redirect(w, r, to, http.StatusFound)
		})
		inside := keysource.Guarded(names(t, map[string]string{
			"metadata.example.com.": "169.254.169.254", "loopback.example.com.": "127.0.0.1"}), h.port)
		public := h.Dial // the host that redirects stands for one of the internet
		h.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "keys.example.com:443" {
				return public(ctx, network, address)
			}
			return inside(ctx, network, address)
		}
		_, err := h.Fetch(t.Context(), url)
		var bad *validate.Error
		require.ErrorAs(t, err, &bad, to)
		require.Equal(t, "url", bad.Field)
		require.Contains(t, bad.Rule, rule, to)
		require.NotContains(t, err.Error(), secret)
		require.EqualValues(t, 1, h.dials.Load(), to)
	}
}

// Package keysource fetches and reads the documents in which GitHub, GitLab and
// others publish the keys of a user. The address comes from whoever asks for
// the import, so that the fetch reaches the public internet alone, and what
// comes back is bounded and believed in nothing.
package keysource

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"code.dny.dev/ssrf"
)

const (
	timeLimit    = 10 * time.Second // of all, from the name's resolution to the last byte
	maxRedirects = 3
	maxHeaders   = 64 << 10
)

// Source is where documents are fetched from. The zero value is the internet.
type Source struct {
	// Dial connects to a host. Defaults to a dialler that reaches public
	// addresses alone.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the authorities that certificates are verified by. Defaults to
	// those of the system.
	Roots *x509.CertPool
}

// guarded checks each address that it is about to connect to. A name is
// resolved by then, so that it cannot be another address the next time.
func guarded() *net.Dialer {
	// Azure's machines have their wire server at an address that is public by itself.
	wireServer := netip.MustParsePrefix("168.63.129.16/32")
	return &net.Dialer{Control: ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(wireServer)).Safe}
}

// Fetch returns the document at an address. Its error is a *validate.Error, an
// *Error, or that of ctx.
func (s Source) Fetch(ctx context.Context, url string) ([]byte, error) {
	at, err := address(url)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, refuse("must be a URL")
	}
	req.Header.Set("User-Agent", "forge")
	req.Header.Set("Accept", "text/plain")
	client := s.client()
	defer client.CloseIdleConnections() // and what was being dialled, if nobody waits for it any more
	resp, err := client.Do(req)
	if err != nil {
		return nil, explain(ctx, at.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, &Error{Host: at.Host, Reason: fmt.Sprintf("it answered with %d", resp.StatusCode),
			Missing: resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone}
	}
	if isWebPage(resp.Header) {
		return nil, errWebPage()
	}
	document, err := io.ReadAll(io.LimitReader(resp.Body, MaxDocument+1))
	switch {
	case err != nil:
		return nil, explain(ctx, at.Host, err)
	case len(document) > MaxDocument:
		return nil, errTooLarge()
	}
	return document, nil
}

// client makes a client for one fetch: no connection, cookie or session is left
// of it. It has no proxy, which would resolve the name itself, where nothing
// checks the address.
func (s Source) client() *http.Client {
	dial := s.Dial
	if dial == nil {
		dial = guarded().DialContext
	}
	return &http.Client{
		CheckRedirect: follow,
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12},
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeaders,
		},
	}
}

// follow holds a redirect to the rules of the first address.
func follow(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return refuse("must not be redirected more than %d times", maxRedirects)
	}
	if _, err := address(req.URL.String()); err != nil {
		return refuse("must not be redirected to an address that is refused: %s", ruleOf(err))
	}
	req.Header.Del("Referer") // which is the address before, with its query
	return nil
}

func isWebPage(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return slices.Contains([]string{"text/html", "application/xhtml+xml"}, kind)
}

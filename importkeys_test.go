package forge_test

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/keysource"
)

// anns is what an import of Ann's keys asks for.
var anns = forge.ImportOpts{Name: "ann", Labels: map[string]string{"team": "web"}}

// names are those of keys.
func names(keys []*forge.Key) (all []string) {
	for _, k := range keys {
		all = append(all, k.Name)
	}
	return all
}

func TestImport(t *testing.T) {
	t.Parallel()
	w := idle(t)
	acme := w.For("acme")
	document := "# ann's\r\n" + keyLine + " ann@laptop\r\n\r\nssh-dss AAAA\r\n" + keyLine + " once more\r\n"
	got, err := acme.Keys.ImportDocument(t.Context(), []byte(document), anns)
	require.NoError(t, err)
	require.Len(t, got.Added, 1)
	require.Empty(t, got.Known)
	require.Equal(t, []forge.RefusedLine{{Line: 4, Rule: "must not be a DSA key, which is too weak"}}, got.Refused)
	key := got.Added[0]
	require.Equal(t, &forge.Key{
		ID: key.ID, Owner: "acme", Name: "ann ann@laptop", Labels: map[string]string{"team": "web"}, Created: key.Created,
		Type: "ssh-ed25519", Public: keyLine, Comment: "ann@laptop", Fingerprint: key.Fingerprint,
	}, key)
	require.False(t, key.Created.IsZero())
	stored, err := acme.Keys.Get(t.Context(), key.ID)
	require.NoError(t, err)
	require.Equal(t, key, stored)

	before := w.contents()
	got, err = acme.Keys.ImportDocument(t.Context(), []byte(document), forge.ImportOpts{Name: "other"})
	require.NoError(t, err)
	require.Empty(t, got.Added)
	require.Equal(t, []*forge.Key{key}, got.Known)
	require.Len(t, got.Refused, 1)
	require.Equal(t, before, w.contents(), "again adds nothing and changes nothing")

	got, err = acme.Keys.ImportDocument(t.Context(), []byte(otherLine), anns)
	require.NoError(t, err)
	require.Len(t, got.Added, 1, "what is new is added")
	require.Len(t, w.contents().Keys, 2, "and what has gone stays")
}

// A key that was added alone is the same key.
func TestImportKnowsWhatWasAdded(t *testing.T) {
	t.Parallel()
	w := idle(t)
	key := w.addKey("acme")
	got, err := w.For("acme").Keys.ImportDocument(t.Context(), []byte(otherLine+"\n"+keyLine), anns)
	require.NoError(t, err)
	require.Equal(t, []*forge.Key{key}, got.Known)
	require.Len(t, got.Added, 1)
}

func TestImportStaysWithinAnOwner(t *testing.T) {
	everyStore(t, func(t *testing.T, store forge.Store) {
		w := furnishOn(t, store)
		for _, f := range []*forge.Forge{w.For("one"), w.For("two"), w.Forge} {
			for again := range 2 {
				got, err := f.Keys.ImportDocument(t.Context(), []byte(keyLine+"\n"+otherLine), anns)
				require.NoError(t, err)
				require.Len(t, got.Added, 2-2*again)
				require.Len(t, got.Known, 2*again)
			}
		}
		before := w.contents()
		_, err := w.For("").Keys.ImportDocument(t.Context(), []byte(keyLine), anns)
		require.ErrorIs(t, err, forge.ErrInvalid)
		require.Equal(t, before, w.contents())
		hers, err := w.Keys.List(t.Context(), forge.KeyFilter{Owner: "two"}, forge.Page{})
		require.NoError(t, err)
		require.Len(t, hers, 2)
	})
}

func TestNamesOfImportedKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 250)
	for name, tt := range map[string]struct {
		prefix, document string
		names            []string
	}{
		"without comments": {"ann", keyLine + "\n" + otherLine, []string{"ann SHA256:+DiY3wvv", "ann SHA256:VwwKZTxc"}},
		"the same comment": {"ann", keyLine + " Ann (gitlab.com)\n" + otherLine + " Ann (gitlab.com)", []string{"ann SHA256:+DiY3wvv", "ann SHA256:VwwKZTxc"}},
		"comments":         {" ann ", keyLine + " laptop\n" + otherLine, []string{"ann laptop", "ann SHA256:VwwKZTxc"}},
		"alone":            {"ann", keyLine + " Ann (gitlab.com)\n" + keyLine + " again", []string{"ann Ann (gitlab.com)"}},
		"too long":         {long, keyLine + " lap top", []string{long + " lap"}},
	} {
		got, err := idle(t).Keys.ImportDocument(t.Context(), []byte(tt.document), forge.ImportOpts{Name: tt.prefix})
		require.NoError(t, err, name)
		require.Equal(t, tt.names, names(got.Added), name)
	}
}

func TestBadImports(t *testing.T) {
	t.Parallel()
	w := idle(t)
	before := w.contents()
	for name, tt := range map[string]struct {
		field, document string
		opts            forge.ImportOpts
	}{
		"no name":       {"name", keyLine, forge.ImportOpts{}},
		"name":          {"name", keyLine, forge.ImportOpts{Name: "a\nb"}},
		"labels":        {"labels", keyLine, forge.ImportOpts{Name: "ann", Labels: map[string]string{"-": ""}}},
		"web page":      {"document", "<html>" + keyLine, anns},
		"binary":        {"document", keyLine + "\n\x00", anns},
		"too many keys": {"document", keyLine + strings.Repeat("\n"+otherLine, 100), anns},
	} {
		_, err := w.Keys.ImportDocument(t.Context(), []byte(tt.document), tt.opts)
		requireInvalid(t, err, tt.field, name)
	}
	for _, url := range []string{"", "http://example.com/ann.keys", "https://ann:secret@example.com/", "https://127.0.0.1/"} {
		_, err := w.Keys.Import(t.Context(), url, anns)
		requireInvalid(t, err, "url", url)
		require.NotContains(t, err.Error(), "secret")
	}
	require.Equal(t, before, w.contents())
}

func requireInvalid(t *testing.T, err error, field, what string) {
	t.Helper()
	var typed *forge.Error
	require.ErrorAs(t, err, &typed, what)
	require.ErrorIs(t, err, forge.ErrInvalid, what)
	require.Equal(t, field, typed.Field, what)
	require.NotEmpty(t, typed.Rule, what)
}

// keyHost serves documents as example.com, on the loopback.
func keyHost(t *testing.T, handler http.HandlerFunc) (source keysource.Source) {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	source.Roots = x509.NewCertPool()
	source.Roots.AddCert(server.Certificate())
	source.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	return source
}

func TestImportFromAHost(t *testing.T) {
	t.Parallel()
	w := idle(t)
	asked := 0
	source := keyHost(t, func(rw http.ResponseWriter, r *http.Request) {
		switch asked++; r.URL.Path {
		case "/ann.keys":
			_, _ = io.WriteString(rw, keyLine+"\n"+otherLine+"\n")
		case "/login":
			_, _ = io.WriteString(rw, "<!DOCTYPE html><title>Log in</title>")
		case "/broken":
			rw.WriteHeader(http.StatusBadGateway)
		default:
			http.NotFound(rw, r)
		}
	})
	forge.SetKeySource(w.Forge, source)
	fetch := func(url string) (*forge.Imported, error) { return w.For("acme").Keys.Import(t.Context(), url, anns) }

	_, err := w.Keys.Import(t.Context(), "https://example.com/ann.keys", forge.ImportOpts{})
	require.ErrorIs(t, err, forge.ErrInvalid)
	require.Zero(t, asked, "nothing is fetched for what is refused")
	got, err := fetch("https://example.com/ann.keys")
	require.NoError(t, err)
	require.Len(t, got.Added, 2)
	again, err := fetch("https://example.com/ann.keys")
	require.NoError(t, err)
	require.Equal(t, &forge.Imported{Known: got.Added}, again)

	before := w.contents()
	for url, tt := range map[string]struct {
		class error
		text  string
	}{
		"https://example.com/bob.keys?token=s3cr3t": {forge.ErrNotFound, "url: example.com: it answered with 404"},
		"https://example.com/broken?token=s3cr3t":   {forge.ErrUnavailable, "url: example.com: it answered with 502"},
		"https://example.org/ann.keys?token=s3cr3t": {forge.ErrUnavailable, "url: example.org: its certificate is not valid"},
		"https://example.com/login": {forge.ErrInvalid,
			"document: must be keys, one a line, and is a web page: perhaps one that asks to log in"},
	} {
		_, err := fetch(url)
		require.ErrorIs(t, err, tt.class, url)
		require.EqualError(t, err, tt.text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.Keys.Import(ctx, "https://example.com/ann.keys", anns)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, before, w.contents())
}

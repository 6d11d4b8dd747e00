package e2e

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newGitSite(t, e, srv, forge.SiteOpts{Aliases: []string{"www.shop.example.org"}})
	e.bashAs(t, srv, s.User, `cd "$1"
echo SECRET >.env
echo '<?php echo "SECRET";' >.git/x.php
mkdir -p .well-known && echo proof >.well-known/x
cp -r .env .git .well-known public`, "/home/"+s.User+"/"+s.Directory)

	for _, path := range []string{
		"/.env", "/.git/config", "/.git/x.php", "/.git/HEAD", "/.git/", "/%2egit/config", "/.%65nv", "//.env", "/x/../.env",
	} {
		p := get(t, srv, s.Domain, path)
		require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, p.status, path)
		require.NotContains(t, p.body, "SECRET", path)
		require.NotContains(t, p.body, "repositoryformatversion", path)
	}
	require.Equal(t, "proof\n", get(t, srv, s.Domain, "/.well-known/x").body)

	for _, path := range []string{"/", "/missing", "/missing/page?x=1", "/missing.php"} {
		p := get(t, srv, s.Domain, path)
		require.Equal(t, "first", p.body, path)
		require.Equal(t, []string{"SAMEORIGIN"}, p.header.Values("X-Frame-Options"), path)
		require.Equal(t, []string{"nosniff"}, p.header.Values("X-Content-Type-Options"), path)
		require.Equal(t, "text/html; charset=utf-8", strings.ToLower(p.header.Get("Content-Type")), path)
	}
	require.Equal(t, "first", get(t, srv, "www.shop.example.org", "/").body)
	require.Equal(t, "first", get(t, srv, "WWW.shop.example.org", "/").body)

	for _, host := range []string{"unknown.example.org", srv.Address, "x." + s.Domain} {
		_, err := fetch(t, srv, host, "/")
		require.Truef(t, errors.Is(err, io.EOF), "host %q gets no answer, not %v", host, err)
	}
}

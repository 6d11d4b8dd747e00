package sitectl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/servertest"
)

const probe = `<?php echo "index ", $_SERVER["REQUEST_URI"], " ", $_SERVER["QUERY_STRING"], " ", get_current_user(), " ", posix_getpwuid(posix_geteuid())["name"];`

func TestServePHP(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "served")
	create(t, srv, s)
	web, host := s.Paths().Web, s.Names[0]
	put(t, srv, s, web+"/index.php", probe)
	put(t, srv, s, web+"/page.html", "<p>page")
	put(t, srv, s, web+"/.env", "SECRET=x")
	put(t, srv, s, web+"/.git/config", "[core]")
	put(t, srv, s, web+"/.git/x.php", `<?php echo "pwned";`)
	put(t, srv, s, web+"/.well-known/x", "known")
	put(t, srv, s, web+"/.well-known-not/x", "SECRET")
	put(t, srv, s, web+"/.well-known/.git/config", "SECRET")
	put(t, srv, s, web+"/x.jpg", `<?php echo "pwned";`)
	put(t, srv, s, web+"/sub/.htpasswd", "SECRET")
	put(t, srv, s, web+"/broken.php", `<?php error_log("a report"); throw new Exception("kept off the page");`)

	for _, path := range []string{
		"/.env", "/.git/config", "/.git/x.php", "/.git/", "/.git", "/sub/.htpasswd", "/.well-known-not/x", "/.well-known/.git/config",
		"/%2eenv", "/.%65nv", "//.env", "/sub/../.env", "/.well-known/../.env", "/./.git/x.php", "/.git/x.php/y.php", "/.git//x.php",
		"/.env?x=.php", "/.env%00.php", "/.env/x.php",
	} {
		r := get(t, srv, host, path)
		require.Contains(t, []string{"403", "400"}, r.status, path)
		require.NotContains(t, r.body, "SECRET", path)
		require.NotContains(t, r.body, "pwned", path)
	}
	for _, path := range []string{"/x.jpg/y.php", "/x.jpg/.php", "/x.jpg%00y.php", "/x.jpg", "/x.jpg/index.php"} {
		require.NotContains(t, get(t, srv, host, path).body, `pwned"; `, path)
		require.NotRegexp(t, `^pwned`, get(t, srv, host, path).body, path)
	}
	require.Equal(t, "known", get(t, srv, host, "/.well-known/x").body)

	r := get(t, srv, host, "/no/such/page?a=b%20c")
	require.Equal(t, "200", r.status)
	require.Equal(t, "index /no/such/page?a=b%20c a=b%20c served served", r.body)
	require.Contains(t, r.header, "X-Frame-Options: SAMEORIGIN\n")
	require.Contains(t, r.header, "X-Content-Type-Options: nosniff\n")
	require.Contains(t, r.header, "Content-Type: text/html; charset=")

	r = get(t, srv, "www."+host, "/page.html")
	require.Equal(t, "<p>page", r.body)
	require.Contains(t, r.header, "Content-Type: text/html; charset=utf-8\n")
	require.Contains(t, r.header, "X-Frame-Options: SAMEORIGIN\n")

	r = get(t, srv, host, "/.env")
	require.Contains(t, r.header, "X-Content-Type-Options: nosniff\n", "on errors too")

	r = get(t, srv, host, "/missing.php")
	require.Equal(t, "404", r.status)
	require.Contains(t, r.body, "index /missing.php")

	r = get(t, srv, host, "/broken.php")
	require.Equal(t, "500", r.status)
	require.NotContains(t, r.body, "kept off the page")
	log := srv.Bash(t, `cat "$1"`, s.Paths().Logs+".error.log")
	require.Contains(t, log, "a report")
	require.Contains(t, log, "kept off the page")

	require.Empty(t, srv.Bash(t, `curl -sS -H 'Host: nobody.example.org' http://127.0.0.1/ 2>/dev/null || true`), "an unknown name gets no site")
}

func TestDeploymentIsLiveAtOnce(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "live")
	create(t, srv, s)
	for _, text := range []string{"one", "two", "six"} {
		put(t, srv, s, s.Paths().Web+"/index.php", "<?php echo '"+text+"';")
		require.Equal(t, text, get(t, srv, s.Names[0], "/").body)
	}
}

func TestServeStatic(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := staticSite("files")
	create(t, srv, s)
	web, host := s.Paths().Web, s.Names[0]
	put(t, srv, s, web+"/index.html", "home")
	put(t, srv, s, web+"/a.php", `<?php "SECRET";`)
	put(t, srv, s, web+"/.git/config", "SECRET")

	require.Equal(t, "home", get(t, srv, host, "/").body)
	require.Equal(t, "403", get(t, srv, host, "/a.php").status)
	require.Equal(t, "403", get(t, srv, host, "/.git/config").status)
	require.Equal(t, "404", get(t, srv, host, "/nothing").status)
	put(t, srv, s, web+"/404.html", "our own")
	r := get(t, srv, host, "/nothing")
	require.Equal(t, "404", r.status)
	require.Equal(t, "our own", r.body)
}

// A link of one site to a file of another, or of root's, is not followed; the
// links of a site within itself are.
func TestSymlinksAreServedOfOneOwner(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s, other := phpSite(srv, "linker"), staticSite("victim")
	s.WebDirectory = "/current/public"
	create(t, srv, other)
	put(t, srv, other, other.Paths().Web+"/secret.txt", "SECRET")

	// Releases with a link that points to the live one, made before the site is.
	create(t, srv, s)
	site, host := s.Paths().Site, s.Names[0]
	srv.BashAs(t, s.User, `cd "$1"; rm -r current; mkdir -p releases/{1,2}/public shared
		echo one >releases/1/public/a.txt; echo two >releases/2/public/a.txt; echo up >shared/up.txt
		ln -s ../../../shared releases/2/public/storage
		ln -s releases/1 current`, site)
	require.Equal(t, "one\n", get(t, srv, host, "/a.txt").body)
	srv.BashAs(t, s.User, `cd "$1"; ln -s releases/2 next; mv -T next current`, site)
	require.Equal(t, "two\n", get(t, srv, host, "/a.txt").body)
	require.Equal(t, "up\n", get(t, srv, host, "/storage/up.txt").body)

	srv.BashAs(t, s.User, `cd "$1"
		ln -s "$2/secret.txt" releases/2/public/file.txt
		ln -s "$2" releases/2/public/dir
		ln -s /etc/passwd releases/2/public/passwd.txt
		ln -s / releases/2/public/root
		ln -s "$2/secret.txt" hop; ln -s ../../../hop releases/2/public/hop.txt`, site, other.Paths().Web)
	for _, path := range []string{"/file.txt", "/dir/secret.txt", "/passwd.txt", "/root/etc/passwd", "/hop.txt"} {
		r := get(t, srv, host, path)
		require.NotContains(t, r.body, "SECRET", path)
		require.NotContains(t, r.body, "root:", path)
	}
	srv.BashAs(t, s.User, `cd "$1"; ln -s "$2" next; mv -T next current`, site, other.Paths().Site)
	require.NotContains(t, get(t, srv, host, "/secret.txt").body, "SECRET", "the web directory itself")
	srv.BashAs(t, s.User, `cd "$1"; rm current; mkdir current; ln -s "$2" current/public`, site, other.Paths().Web)
	require.NotContains(t, get(t, srv, host, "/secret.txt").body, "SECRET")
}

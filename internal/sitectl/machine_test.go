package sitectl_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func phpSite(srv *servertest.Server, name string) sitectl.Site {
	s := staticSite(name)
	s.Kind, s.PHPVersion, s.WebDirectory = nginx.PHP, srv.PHP, "/public"
	return s
}

func staticSite(name string) sitectl.Site {
	return sitectl.Site{
		ID: name + "-0190", User: name, Directory: name + ".example.com", Kind: nginx.Static,
		Names: []string{name + ".example.com", "www." + name + ".example.com"},
	}
}

func createCommand(t testing.TB, s sitectl.Site) sshexec.Command {
	t.Helper()
	cmd, err := sitectl.Create(s)
	require.NoError(t, err)
	return cmd
}

func deleteCommand(t testing.TB, s sitectl.Site) sshexec.Command {
	t.Helper()
	cmd, err := sitectl.Delete(s)
	require.NoError(t, err)
	return cmd
}

// create makes the site, and removes it when the test ends.
func create(t testing.TB, srv *servertest.Server, s sitectl.Site) {
	t.Helper()
	t.Cleanup(func() { remove(t, srv, s) })
	_, err := srv.Run(t, createCommand(t, s))
	require.NoError(t, err)
}

func remove(t testing.TB, srv *servertest.Server, s sitectl.Site) {
	t.Helper()
	_, err := srv.Run(t, deleteCommand(t, s))
	require.NoError(t, err)
}

// put writes a file as the site's user.
func put(t testing.TB, srv *servertest.Server, s sitectl.Site, path, content string) {
	t.Helper()
	srv.BashAs(t, s.User, `mkdir -p -- "${1%/*}"; printf '%s' "$2" >"$1"`, path, content)
}

type response struct {
	status string
	header string
	body   string
}

// get fetches a path of a site, as it stands: curl changes nothing in it.
func get(t testing.TB, srv *servertest.Server, host, path string) response {
	t.Helper()
	out := srv.Bash(t, `curl -sS -i --path-as-is --max-time 20 -H "Host: $1" "http://127.0.0.1$2" | tr -d '\r'`, host, path)
	header, body, _ := strings.Cut(out, "\n\n")
	first, header, _ := strings.Cut(header, "\n")
	return response{status: strings.Fields(first)[1], header: header + "\n", body: body}
}

// changes runs do and lists the files on the server that it made, changed or
// removed, but for what runs anyway.
func changes(t testing.TB, srv *servertest.Server, do func()) string {
	t.Helper()
	const list = `find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run/systemd -o -path /run/forge \
		-o -path /var/log/journal -o -path /var/lib/forge -o -path /run/sshd -o -path /run/log -o -path /run/user -o -path '/var/log/php*-fpm.log' \) -prune \
		-o ! -type d -printf '%p %i %s %m %U:%G %T@\n' | sort >"$1"`
	srv.Bash(t, list, "/dev/shm/before")
	do()
	srv.Bash(t, list, "/dev/shm/after")
	return srv.Bash(t, `diff /dev/shm/before /dev/shm/after | grep '^[<>]' | cut -d' ' -f1,2 || true; rm /dev/shm/before /dev/shm/after`)
}

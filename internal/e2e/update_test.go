package e2e

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
)

// update changes a site and waits until the server is in step.
func (s *site) update(t *testing.T, u forge.SiteUpdate) {
	t.Helper()
	_, action, err := s.e.Sites.Update(t.Context(), s.ID, u)
	s.e.finish(t, action, err)
	s.reload(t)
}

// unknown says that no site answers to a name.
func unknown(t *testing.T, srv *forge.Server, host string) {
	t.Helper()
	_, err := fetch(t, srv, host, "/")
	require.Truef(t, errors.Is(err, io.EOF), "host %q gets no answer, not %v", host, err)
}

func TestUpdateSite(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newGitSite(t, e, srv, forge.SiteOpts{Aliases: []string{"www." + newName() + ".example.org"}})
	was := *s.Site
	domain, alias := newName()+".example.org", newName()+".example.org"

	s.commit(t, "web/index.php", `<?php echo "web";`)
	s.deploy(t)
	s.update(t, forge.SiteUpdate{Domain: &domain, Aliases: &[]string{alias}, WebDirectory: new("/web")})
	require.Equal(t, was.Directory, s.Directory)
	require.Equal(t, forge.SiteDeployed, s.Status)
	require.Equal(t, "web", get(t, srv, domain, "/").body)
	require.Equal(t, "web", get(t, srv, alias, "/").body)
	unknown(t, srv, was.Domain)
	unknown(t, srv, was.Aliases[0])

	// A site with another repository has it with the next deployment.
	repo := newName()
	push(t, e, srv, repo, "web/index.php", `<?php echo "another";`)
	s.update(t, forge.SiteUpdate{Repository: new("ssh://git@127.0.0.1/home/git/" + repo + ".git")})
	require.Equal(t, "web", get(t, srv, domain, "/").body)
	s.deploy(t)
	require.Equal(t, "another", get(t, srv, domain, "/").body)

	// One that refuses leaves the site served, and waiting.
	s.update(t, forge.SiteUpdate{Repository: new("ssh://git@127.0.0.1/home/git/none-" + repo + ".git")})
	require.Equal(t, forge.SiteAwaitingAccess, s.Status)
	require.Equal(t, "another", get(t, srv, domain, "/").body)
	s.update(t, forge.SiteUpdate{Repository: new("ssh://git@127.0.0.1/home/git/" + repo + ".git")})
	require.Equal(t, forge.SiteDeployed, s.Status)
}

func TestUpdateThatFailsLeavesTheSite(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newGitSite(t, e, srv, forge.SiteOpts{})
	other := newSite(t, e, srv, forge.SiteOpts{Kind: forge.StaticSite})
	was := s.Site

	_, _, err := e.Sites.Update(t.Context(), s.ID, forge.SiteUpdate{Domain: &other.Domain})
	require.ErrorIs(t, err, forge.ErrConflict)

	// The virtual host cannot be written.
	vhost := "/etc/nginx/forge.d/" + s.ID + ".conf"
	before := e.bash(t, srv, `cat "$1"; mkdir "$1.new"`, vhost)
	_, action, err := e.Sites.Update(t.Context(), s.ID, forge.SiteUpdate{Domain: new("new-" + s.Domain), KnownHosts: new("")})
	require.NoError(t, err)
	_, err = e.Actions.Wait(t.Context(), action.ID)
	var failed *forge.ActionError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, forge.ReasonExit, failed.Action.Failure.Reason)
	s.reload(t)
	s.Updated = was.Updated
	require.Equal(t, was, s.Site)
	require.Equal(t, before, e.bash(t, srv, `cat "$1"; rmdir "$1.new"`, vhost))
	require.Equal(t, "first", get(t, srv, s.Domain, "/").body)
	unknown(t, srv, "new-"+s.Domain)
	s.deploy(t)
}

// program answers with what it is told of the client, and to a WebSocket with
// the upgrade and then every byte that comes. It is in PHP, as that is there.
const program = `<?php
$server = stream_socket_server("tcp://127.0.0.1:$argv[1]");
while (true) {
	$conn = @stream_socket_accept($server, -1);
	if (!$conn || pcntl_fork()) continue;
	for ($request = ""; ($line = fgets($conn)) !== false && trim($line) !== ""; ) $request .= $line;
	if (preg_match("/^Sec-WebSocket-Key: (\S+)/mi", $request, $m)) {
		$accept = base64_encode(sha1($m[1] . "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", true));
		fwrite($conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");
		while (($data = fread($conn, 1024)) !== "" && $data !== false) fwrite($conn, $data);
	} else fwrite($conn, "HTTP/1.1 200 OK\r\nContent-Length: " . strlen($request) . "\r\nConnection: close\r\n\r\n" . $request);
	stream_socket_shutdown($conn, STREAM_SHUT_RDWR);
	exit;
}`

func TestProxySite(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newSite(t, e, srv, forge.SiteOpts{Kind: forge.ProxySite, Upstream: "127.0.0.1:3917", DeployScript: "cat >server.php <<'END'\n" + program + "\nEND\n"})
	s.lastDeployment(t)
	require.Equal(t, http.StatusBadGateway, get(t, srv, s.Domain, "/").status)
	unit := "program-" + s.ID
	e.bash(t, srv, `systemd-run --quiet --unit="$1" --uid="$2" php "$3" 3917
until (: >/dev/tcp/127.0.0.1/3917) 2>/dev/null; do sleep 0.02; done`, unit, s.User, s.dir("server.php"))
	defer e.bash(t, srv, `systemctl stop "$1"`, unit)

	p := get(t, srv, s.Domain, "/a?b=c")
	require.Contains(t, p.body, "GET /a?b=c HTTP/1.1\r\n")
	require.Contains(t, p.body, "\nHost: "+s.Domain+"\r\n")
	require.Contains(t, p.body, "\nX-Forwarded-Proto: http\r\n")

	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+srv.Address+"/socket", nil)
	require.NoError(t, err)
	req.Host = s.Domain
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {key}}
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	require.Equal(t, base64.StdEncoding.EncodeToString(sum[:]), res.Header.Get("Sec-Websocket-Accept"))
	socket, ok := res.Body.(io.ReadWriter)
	require.True(t, ok)
	_, err = socket.Write([]byte("ping"))
	require.NoError(t, err)
	echo := make([]byte, 4)
	_, err = io.ReadFull(socket, echo)
	require.NoError(t, err)
	require.Equal(t, "ping", string(echo))

	// The same site by files alone, and no more by the program.
	s.update(t, forge.SiteUpdate{Kind: new(forge.StaticSite)})
	require.Equal(t, http.StatusForbidden, get(t, srv, s.Domain, "/server.php").status)
}

// lastDeployment waits for the first deployment of a site, which must be finished.
func (s *site) lastDeployment(t *testing.T) {
	t.Helper()
	found, err := s.e.Deployments.List(t.Context(), forge.DeploymentFilter{Site: s.ID}, forge.Page{Newest: true, Limit: 1})
	require.NoError(t, err)
	require.Len(t, found, 1)
	s.deployed(t, found[0])
}

func TestSitesOfTheSharedUser(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	opts := forge.SiteOpts{Kind: forge.StaticSite, User: "forge", DeployScript: `id -un >index.html; pwd >>index.html`}
	one, two := newSite(t, e, srv, opts), newSite(t, e, srv, opts)
	for _, s := range []*site{one, two} {
		s.lastDeployment(t)
		require.Equal(t, "forge\n/home/forge/"+s.Domain+"\n", get(t, srv, s.Domain, "/").body)
	}
	// They read each other, and no log shows what is secret of either.
	action, err := e.Sites.SetEnvironment(t.Context(), two.ID, []forge.EnvVar{{Name: "KEY", Value: secret.New("correct-horse")}})
	e.finish(t, action, err)
	one.update(t, forge.SiteUpdate{DeployScript: new("cat ../" + two.Domain + "/.env; cp ../" + two.Domain + "/.env read")})
	d := one.deploy(t)
	require.NotContains(t, strings.Join(e.lines(t, d.Action, forge.LineOutput), "\n"), "correct-horse")
	require.Contains(t, e.bash(t, srv, `cat "$1"`, one.dir("read")), "correct-horse")

	action, err = e.Sites.Delete(t.Context(), one.ID)
	e.finish(t, action, err)
	unknown(t, srv, one.Domain)
	require.Equal(t, "forge\n/home/forge/"+two.Domain+"\n", get(t, srv, two.Domain, "/").body)
	two.deploy(t)
	e.bash(t, srv, `id forge; ! ls -d "/home/forge/$1" "/etc/forge/sites/$2" 2>/dev/null; [[ $(stat -c %U:%G:%a /home/forge) == forge:www-data:710 ]]`,
		one.Domain, one.ID)

	// What is there already is nobody's to take.
	three := forge.SiteOpts{Kind: forge.StaticSite, User: "forge", Domain: newName() + ".example.org"}
	e.bashAs(t, srv, "forge", `mkdir ~/"$1"`, three.Domain)
	defer e.bashAs(t, srv, "forge", `rmdir ~/"$1"`, three.Domain)
	_, action, err = e.Sites.Create(t.Context(), srv.ID, three)
	require.NoError(t, err)
	_, err = e.Actions.Wait(t.Context(), action.ID)
	require.ErrorContains(t, err, "exists and is not the site's")
}

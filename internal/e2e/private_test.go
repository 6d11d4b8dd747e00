package e2e

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/githost"
	"github.com/seed-797f2c2c/forge/secret"
)

const lfsFiles = "*.bin filter=lfs diff=lfs merge=lfs -text\n"

// newHost starts a git server over https that the server trusts.
func newHost(t *testing.T, e *embedder, srv *forge.Server) *githost.Server {
	t.Helper()
	host := githost.Start(t, e.bash(t, srv, githost.Gateway))
	e.bashWith(t, srv, "root", host.CA, "set -- "+newName()+"\n"+githost.Trust)
	return host
}

// snoop has another user of the server look at every process for what is in a
// file of that user's. Stopping it returns what was seen.
func snoop(t *testing.T, e *embedder, srv *forge.Server, user, patterns string) (stop func() string) {
	t.Helper()
	e.bashWith(t, srv, user, patterns, `umask 077; cat >~/patterns; rm -f ~/stop`)
	action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: user, Command: `
touch ~/seen; echo ready
until [ -e ~/stop ]; do
	ps axewwo args | grep -F -f ~/patterns >>~/seen || true
	cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -F -f ~/patterns >>~/seen || true
	echo look >>~/looks
done`})
	require.NoError(t, err)
	e.await(t, action.ID, "ready")
	return func() string {
		e.bashAs(t, srv, user, `until [ "$(wc -l <~/looks)" -gt 2 ]; do sleep 0.1; done; touch ~/stop`)
		e.finish(t, action, nil)
		return e.bashAs(t, srv, user, `cat ~/seen`)
	}
}

func TestPrivateRepositoryByToken(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	host := newHost(t, e, srv)
	token, next := "sentinel-"+rand.Text(), "sentinel-"+rand.Text()
	header := strings.TrimPrefix(host.Require("oauth2", token), "Basic ")
	lib := host.Commit(t, "lib", map[string]string{"lib.php": `<?php return "one";`})
	app := map[string]string{
		".gitattributes": lfsFiles, "public/large.bin": host.Large("large one"),
		".gitmodules":      "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib.git\n",
		"public/index.php": `<?php echo require "../lib/lib.php";`,
	}
	host.CommitLinks(t, "app", app, map[string]string{"lib": lib})

	neighbour := newSite(t, e, srv, forge.SiteOpts{})
	arguments := watchFiles([]string{"cmdline"}, token, next, header)
	stop := snoop(t, e, srv, neighbour.User, token+"\n"+next+"\n"+header+"\ne2e-canary\n")

	// It waits for a token, and refuses a wrong one.
	s := newSite(t, e, srv, forge.SiteOpts{Repository: host.Repo("app"), RepositoryUser: "oauth2"})
	require.Equal(t, forge.SiteAwaitingAccess, s.Status)
	connect := func(token string) {
		t.Helper()
		require.NoError(t, e.Sites.SetToken(t.Context(), s.ID, secret.New(token)))
		action, err := e.Sites.Connect(t.Context(), s.ID)
		e.finish(t, action, err)
		s.reload(t)
	}
	connect("sentinel-wrong")
	require.Equal(t, forge.SiteAwaitingAccess, s.Status)
	said := e.said(t, s)
	require.Contains(t, said, "the repository asks for a login; set a token that may read it, and connect the site again")
	require.Contains(t, said, "the repository refuses the site's token; set one that may read it, and connect the site again")
	connect(token)
	require.Equal(t, forge.SiteDeployed, s.Status)
	require.Equal(t, "one", get(t, srv, s.Domain, "/").body)
	require.Equal(t, "large one", get(t, srv, s.Domain, "/large.bin").body)

	// Submodules and large files follow with each deployment.
	change := func(text string) {
		lib := host.Commit(t, "lib", map[string]string{"lib.php": `<?php return "` + text + `";`})
		app["public/large.bin"] = host.Large("large " + text)
		host.CommitLinks(t, "app", app, map[string]string{"lib": lib})
	}
	change("two")
	s.deploy(t)
	require.Equal(t, "two", get(t, srv, s.Domain, "/").body)
	require.Equal(t, "large two", get(t, srv, s.Domain, "/large.bin").body)

	// The host knows another token from now on.
	host.Require("oauth2", next)
	change("three")
	d, err := e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.NoError(t, err)
	d, err = e.Deployments.Wait(t.Context(), d.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Contains(t, d.Failure, "the repository refuses the site's token; set one that may read it")
	require.Contains(t, d.Failure, "Authentication failed for '"+host.URL)
	require.Equal(t, "two", get(t, srv, s.Domain, "/").body)
	require.NoError(t, e.Sites.SetToken(t.Context(), s.ID, secret.New(next)))
	s.deploy(t)
	require.Equal(t, "three", get(t, srv, s.Domain, "/").body)

	// A submodule is fetched in these ways alone.
	app[".gitmodules"] = strings.Replace(app[".gitmodules"], "../lib.git", "http://127.0.0.1/lib.git", 1)
	change("four")
	d, err = e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.NoError(t, err)
	d, err = e.Deployments.Wait(t.Context(), d.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Contains(t, e.lines(t, d.Action, forge.LineOutput), "fatal: transport 'http' not allowed")

	// Nobody else has seen it.
	e.bashAs(t, srv, s.User, `bash -c 'sleep 1; true' e2e-canary`)
	snooped := stop()
	require.Contains(t, snooped, "e2e-canary", "what it would have seen")
	arguments.end()
	require.Empty(t, arguments.found)
	require.Positive(t, arguments.looks)
	for _, secret := range []string{token, next, header} {
		require.NotContains(t, snooped, secret)
		require.NotContains(t, e.seen(), secret)
		require.NotContains(t, e.said(t, s), secret)
	}
	require.Empty(t, e.bashWith(t, srv, "root", token+"\n"+next+"\n"+header+"\n", `umask 077; cat >/run/private; trap 'rm /run/private' EXIT
grep -rlF -f /run/private -D skip --exclude=patterns --exclude=private /etc /home /root /run /tmp /var 2>/dev/null || true`),
		"files with it")
}

// said are the logs and the failures of all that was done for a site.
func (e *embedder) said(t *testing.T, s *site) string {
	t.Helper()
	var b strings.Builder
	for action, err := range e.Actions.All(t.Context(), forge.ActionFilter{Server: s.server.ID}) {
		require.NoError(t, err)
		if action.Failure != nil {
			b.WriteString(action.Failure.Message + action.Failure.Output + "\n")
		}
		for line, err := range e.Actions.Log(t.Context(), action.ID, 0, 0) {
			require.NoError(t, err)
			b.WriteString(line.Text + "\n")
		}
	}
	return b.String()
}

func TestPrintedTokenIsMasked(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	host := newHost(t, e, srv)
	token := "sentinel-" + rand.Text()
	host.Require("git", token)
	host.Commit(t, "app", map[string]string{"public/index.html": "here"})
	s := newSite(t, e, srv, forge.SiteOpts{
		Kind: forge.StaticSite, Repository: host.Repo("app"), RepositoryToken: secret.New(token),
		DeployScript: `env | sort | grep ^FORGE_GIT; printf 'url=%s\n' "$(git config remote.origin.url)" | git credential fill
printf '%s:%s' "$FORGE_GIT_LOGIN" "$FORGE_GIT_TOKEN" | base64 -w 0; echo; GIT_CURL_VERBOSE=1 GIT_TRACE_REDACT=0 git ls-remote origin 2>&1`,
	})
	require.Equal(t, forge.SiteDeployed, s.Status)
	said := e.said(t, s)
	require.Contains(t, said, "FORGE_GIT_TOKEN=[secret]\n")
	require.Contains(t, said, "password=[secret]\n")
	require.Regexp(t, `(?i)authorization: basic .*\[secret\]`, said)
	require.NotContains(t, said, token)
}

// A deploy key opens submodules on the same host, and the large files of which
// git-lfs-authenticate says where they are.
func TestPrivateRepositoryByDeployKey(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	host := newHost(t, e, srv)
	header := host.Require("lfs", "sentinel-"+rand.Text())
	s, lib := refusedSite(t, e, srv, forge.SiteOpts{}), newName()
	e.bash(t, srv, `install -d -o git /home/git/git-shell-commands
cat >/home/git/git-shell-commands/git-lfs-authenticate <<END
#!/bin/sh
echo '{"href": "$1/info/lfs", "header": {"Authorization": "$2"}}'
END
chmod 0755 /home/git/git-shell-commands/git-lfs-authenticate`, host.URL+"/app.git", header)
	link := push(t, e, srv, lib, "lib.php", `<?php return "lib";`)
	s.commit(t, "public/index.php", `<?php echo require "../lib/lib.php";`)
	s.commit(t, "public/large.bin", host.Large("large"))
	s.commit(t, ".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = ../"+lib+".git\n")
	s.commit(t, ".gitattributes", lfsFiles)
	e.bashAs(t, srv, "root", `cd "/home/git/$1.git"; export GIT_INDEX_FILE=/home/git/$1.index GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
as() { setpriv --reuid=git --regid=git --clear-groups -- "$@"; }
as git read-tree main; as git update-index --add --cacheinfo "160000,$2,lib"
as git update-ref refs/heads/main "$(as git commit-tree -p main -m link "$(as git write-tree)")"; rm "$GIT_INDEX_FILE"`, s.repo, link)

	s.allow(t)
	action, err := e.Sites.Connect(t.Context(), s.ID)
	e.finish(t, action, err)
	require.Equal(t, "lib", get(t, srv, s.Domain, "/").body)
	require.Equal(t, "large", get(t, srv, s.Domain, "/large.bin").body)
}

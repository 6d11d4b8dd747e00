package git_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/githost"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// A token is any line of text.
const token, login = `sentinel %s "'$HOME\ ` + "`id`" + ` ü`, "gitlab+deploy-token-1"

func TestHTTPS(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	for name, test := range map[string]func(*testing.T, *servertest.Server){
		"token": testToken, "token stays at its host": testTokenStaysAtItsHost,
		"submodules": testSubmodules, "hostile submodules": testHostileSubmodules,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, srv)
		})
	}
}

// overHTTPS makes a user with a directory and a git server that asks for a
// login.
func overHTTPS(t *testing.T, srv *servertest.Server, user string) (git.Repo, *githost.Server) {
	t.Helper()
	home := "/home/" + user
	srv.Bash(t, `useradd -m -s /bin/bash -- "$1"`, user)
	t.Cleanup(func() { srv.Bash(t, `userdel -r -- "$1" 2>/dev/null`, user) })
	srv.BashAs(t, user, `mkdir ~/site`)
	host := newHost(t, srv)
	return git.Repo{
		URL: host.Repo("app"), Branch: "main", User: user, Dir: home + "/site", Key: home + "/none", KnownHosts: "/etc/none",
		Login: login, Token: secret.New(token),
	}, host
}

func newHost(t *testing.T, srv *servertest.Server) *githost.Server {
	t.Helper()
	host := githost.Start(t, srv.Bash(t, githost.Gateway))
	host.Require(login, token)
	_, err := srv.Run(t, sshexec.Command{Script: githost.Trust, Args: []string{uuid.NewString()}, Stdin: strings.NewReader(host.CA)})
	require.NoError(t, err)
	return host
}

func testToken(t *testing.T, srv *servertest.Server) {
	r, host := overHTTPS(t, srv, "bearer")
	first := host.Commit(t, "app", map[string]string{"file.txt": "first"})
	// What the user has set would keep it.
	srv.BashAs(t, r.User, `git config --global credential.helper store; git config --global "credential.$1.helper" store`, host.URL)

	for name, wrong := range map[string]secret.Secret{"none": {}, "another": secret.New("wrong-sentinel")} {
		bad := r
		bad.Token = wrong
		_, err := head(t, srv, bad)
		require.Equal(t, git.AccessRefused, outcome(t, err), name)
		require.NotContains(t, err.Error(), "sentinel")
	}
	got, err := head(t, srv, r)
	require.NoError(t, err)
	require.Equal(t, first, got)
	status, log := cloneRun(t, srv, r)
	require.Zero(t, status.ExitCode, log)
	require.NotContains(t, log, "sentinel")

	second := host.Commit(t, "app", map[string]string{"file.txt": "second"})
	c, err := fetch(t, srv, r, "")
	require.NoError(t, err)
	require.Equal(t, second, c.Hash)
	require.Empty(t, srv.Bash(t, `grep -rl sentinel "/home/$1" || true`, r.User))

	host.Require(login, "next")
	_, err = fetch(t, srv, r, "")
	require.Equal(t, git.AccessRefused, outcome(t, err), err)
	r.Token = secret.New("next")
	_, err = fetch(t, srv, r, "")
	require.NoError(t, err)
}

// Nothing that leads to another host takes the token there.
func testTokenStaysAtItsHost(t *testing.T, srv *servertest.Server) {
	r, host := overHTTPS(t, srv, "stayer")
	other := newHost(t, srv)
	hash := other.Commit(t, "lib", map[string]string{"lib.txt": "lib"})
	host.CommitLinks(t, "app", map[string]string{".gitmodules": module("lib", other.Repo("lib"))}, map[string]string{"lib": hash})

	status, log := cloneRun(t, srv, r)
	require.NotZero(t, status.ExitCode)
	require.Contains(t, log, "could not read Username for '"+other.URL)
	require.NotEmpty(t, host.Seen())
	require.Empty(t, other.Seen())

	host.RedirectTo(other.URL)
	_, err := head(t, srv, r)
	require.Equal(t, git.AccessRefused, outcome(t, err), err)
	require.Empty(t, other.Seen())
}

// module describes a submodule in .gitmodules.
func module(path, url string) string {
	return "[submodule \"" + path + "\"]\n\tpath = " + path + "\n\turl = " + url + "\n"
}

func testSubmodules(t *testing.T, srv *servertest.Server) {
	r, host := overHTTPS(t, srv, "nester")
	inner := host.Commit(t, "inner", map[string]string{"inner.txt": "inner"})
	lib := host.CommitLinks(t, "lib", map[string]string{"lib.txt": "one", ".gitmodules": module("deep/inner", "../inner.git")},
		map[string]string{"deep/inner": inner})
	host.CommitLinks(t, "app", map[string]string{".gitmodules": module("lib", host.Repo("lib"))}, map[string]string{"lib": lib})
	status, log := cloneRun(t, srv, r)
	require.Zero(t, status.ExitCode, log)
	require.Equal(t, "one\ninner\n", srv.BashAs(t, r.User, `cd ~/site/lib; cat lib.txt; echo; cat deep/inner/inner.txt; echo`))

	// One that was cut short is made anew.
	srv.BashAs(t, r.User, `cd ~/site; git config user.name keep; find .git/modules/lib -name HEAD -type f -not -path '*/logs/*' | tail -n 1 | xargs -d '\n' rm`)
	_, err := fetch(t, srv, r, "")
	require.NoError(t, err)
	srv.BashAs(t, r.User, `cd ~/site; [[ ! -e .git/modules && -d lib && ! -e lib/lib.txt ]]`)

	srv.BashAs(t, r.User, `cd ~/site; rm -rf .git; find . -mindepth 1 -delete`)
	srv.BashAs(t, r.User, `cd ~/site; git init -q -b main; : >.git/forge-unfinished; mkdir -p .git/modules/lib lib; echo "gitdir: ../.git/modules/lib" >lib/.git`)
	status, log = cloneRun(t, srv, r)
	require.Zero(t, status.ExitCode, log)
	srv.BashAs(t, r.User, `cd ~/site; [[ -f lib/deep/inner/inner.txt && -z $(git status --porcelain) ]]`)
}

func testHostileSubmodules(t *testing.T, srv *servertest.Server) {
	r, host := overHTTPS(t, srv, "target")
	hash := host.Commit(t, "lib", map[string]string{"lib.txt": "lib"})
	srv.BashAs(t, r.User, `git init -q --bare ~/local.git; mkdir -m 0777 ~/out`)
	for url, message := range map[string]string{
		"file:///home/target/local.git":                     "transport 'file' not allowed",
		"/home/target/local.git":                            "transport 'file' not allowed",
		"ext::sh -c touch% /home/target/out/ran":            "transport 'ext' not allowed",
		"git://127.0.0.1/lib.git":                           "transport 'git' not allowed",
		strings.Replace(host.URL, "https", "http", 1):       "transport 'http' not allowed",
		"--upload-pack=touch /home/target/out/ran":          "may be interpreted as a command-line option",
		"ssh://-oProxyCommand=touch%20/home/target/out/ran": "strange hostname",
		"-oProxyCommand=touch /home/target/out/ran:lib":     "may be interpreted as a command-line option",
	} {
		host.CommitLinks(t, "app", map[string]string{".gitmodules": module("lib", url)}, map[string]string{"lib": hash})
		srv.BashAs(t, r.User, `rm -rf ~/site; mkdir ~/site`)
		status, log := cloneRun(t, srv, r)
		require.NotZero(t, status.ExitCode, url)
		require.Contains(t, log, message, url)
		require.Empty(t, srv.Bash(t, `ls /home/target/out`), url)
	}
	// A submodule is not updated by a command, nor is it put outside.
	for _, text := range []string{
		module("lib", host.Repo("lib")) + "\tupdate = !touch /home/target/out/ran\n",
		module("../../out", host.Repo("lib")),
	} {
		host.CommitLinks(t, "app", map[string]string{".gitmodules": text}, map[string]string{"lib": hash})
		srv.BashAs(t, r.User, `rm -rf ~/site; mkdir ~/site`)
		status, log := cloneRun(t, srv, r)
		require.NotZero(t, status.ExitCode, log)
		require.Empty(t, srv.Bash(t, `ls /home/target/out`), log)
	}
}

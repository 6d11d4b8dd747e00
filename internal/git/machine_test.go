package git_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// setUp makes a user with a directory, a git server on the machine itself with
// one repository, and a deploy key that opens it.
func setUp(t *testing.T, srv *servertest.Server, user string) git.Repo {
	t.Helper()
	home := "/home/" + user
	r := git.Repo{
		URL: "git@127.0.0.1:" + user + ".git", Branch: "main",
		User: user, Dir: home + "/site", Key: home + "/.ssh/forge-" + user, KnownHosts: "/etc/known-" + user,
	}
	srv.Bash(t, `useradd -m -s /bin/bash -- "$1"
		id git >/dev/null 2>&1 || useradd -m -s /usr/bin/git-shell git
		awk '{print "127.0.0.1", $1, $2}' /etc/ssh/ssh_host_ed25519_key.pub >"$2"
		cd /home/git; setpriv --reuid=git --regid=git --clear-groups git init -q --bare -b main "$1.git"`, user, r.KnownHosts)
	t.Cleanup(func() {
		srv.Bash(t, `userdel -r -- "$1" 2>/dev/null; rm -rf -- "$2" "/home/git/$1.git"; [[ ! -e /home/git/.ssh ]] || sed -i "/$1/d" /home/git/.ssh/authorized_keys`, user, r.KnownHosts)
	})
	srv.BashAs(t, user, `mkdir ~/site`)
	return r
}

// letIn makes the deploy key and adds it to the git server.
func letIn(t *testing.T, srv *servertest.Server, r git.Repo) {
	t.Helper()
	cmd, err := git.DeployKey(r.User, r.Key, "forge-"+r.User)
	require.NoError(t, err)
	out, err := srv.Run(t, cmd)
	require.NoError(t, err)
	line, err := git.ParseDeployKey([]byte(out))
	require.NoError(t, err)
	srv.Bash(t, `mkdir -p /home/git/.ssh; echo "restrict $1" >>/home/git/.ssh/authorized_keys; chown -R git: /home/git/.ssh; chmod 700 /home/git/.ssh; chmod 600 /home/git/.ssh/authorized_keys`, line)
}

// commit puts a commit on the branch of the git server and returns its hash.
func commit(t *testing.T, srv *servertest.Server, r git.Repo, branch, message, author string) string {
	t.Helper()
	return strings.TrimSpace(srv.BashAs(t, r.User, `
		rm -rf ~/work; git init -q -b "$2" ~/work; cd ~/work
		git config user.email a@example.com; git config user.name "$4"
		export GIT_SSH_COMMAND=$5
		git fetch -q "$1" "refs/heads/$2" && git reset -q --hard FETCH_HEAD || true
		printf '%s' "$3" >file.txt; git add file.txt
		printf '%s' "$3" | git -c i18n.commitEncoding=UTF-8 commit -q --allow-empty-message --cleanup=verbatim -F -
		git push -q "$1" "HEAD:refs/heads/$2"
		git rev-parse HEAD`, r.URL, branch, message, author, r.Env()["GIT_SSH_COMMAND"]))
}

func head(t *testing.T, srv *servertest.Server, r git.Repo) (string, error) {
	t.Helper()
	cmd, err := r.CheckAccess()
	require.NoError(t, err)
	out, err := srv.Run(t, cmd)
	if err != nil {
		return "", git.Explain(err)
	}
	return git.ParseHead([]byte(out))
}

func fetch(t *testing.T, srv *servertest.Server, r git.Repo, hash string) (git.Commit, error) {
	t.Helper()
	cmd, err := r.Fetch(hash)
	require.NoError(t, err)
	out, err := srv.Run(t, cmd)
	if err != nil {
		return git.Commit{}, git.Explain(err)
	}
	return git.ParseCommit([]byte(out))
}

func cloneRun(t *testing.T, srv *servertest.Server, r git.Repo) (sshexec.RunStatus, string) {
	t.Helper()
	spec, err := r.Clone()
	require.NoError(t, err)
	spec.ID = "clone-" + uuid.NewString()
	var log bytes.Buffer
	status, err := srv.Client.Attach(t.Context(), spec, 0, &log)
	require.NoError(t, err)
	require.NoError(t, srv.Client.Clean(context.WithoutCancel(t.Context()), spec.ID))
	return status, log.String()
}

func outcome(t *testing.T, err error) git.Outcome {
	t.Helper()
	var e *git.Error
	require.ErrorAs(t, err, &e)
	return e.Outcome
}

func TestAccess(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	r := setUp(t, srv, "asker")

	cmd, err := git.DeployKey(r.User, r.Key, "forge-asker")
	require.NoError(t, err)
	_, err = srv.Run(t, cmd)
	require.NoError(t, err)
	_, err = head(t, srv, r)
	require.Equal(t, git.AccessRefused, outcome(t, err), err)

	letIn(t, srv, r)
	_, err = head(t, srv, r)
	require.Equal(t, git.BranchMissing, outcome(t, err), "an empty repository")
	hash := commit(t, srv, r, "main", "first", "Ann")
	commit(t, srv, r, "a/refs/heads/main", "a name that ends alike", "Eve")
	got, err := head(t, srv, r)
	require.NoError(t, err)
	require.Equal(t, hash, got)

	other := r
	other.Branch = "no/such"
	_, err = head(t, srv, other)
	require.Equal(t, git.BranchMissing, outcome(t, err))

	other = r
	other.URL = "git@127.0.0.1:nothing.git"
	_, err = head(t, srv, other)
	require.Equal(t, git.AccessRefused, outcome(t, err), err)

	other.URL = "git@no-such-host.invalid:x.git"
	_, err = head(t, srv, other)
	require.Equal(t, git.Unreachable, outcome(t, err), err)

	other.URL = "ssh://git@127.0.0.1:9/x.git"
	_, err = head(t, srv, other)
	require.Equal(t, git.Unreachable, outcome(t, err), err)

	srv.Bash(t, `: >"$1"`, r.KnownHosts)
	_, err = head(t, srv, r)
	require.Equal(t, git.HostKeyUnknown, outcome(t, err), err)
	srv.Bash(t, `echo '127.0.0.1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl' >"$1"`, r.KnownHosts)
	_, err = head(t, srv, r)
	require.Equal(t, git.HostKeyChanged, outcome(t, err), err)
}

func TestCloneAndFetch(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	r := setUp(t, srv, "cloner")
	letIn(t, srv, r)
	first := commit(t, srv, r, "main", "first", "Ann")

	srv.BashAs(t, r.User, `mkdir ~/site/public`) // as create makes it
	status, log := cloneRun(t, srv, r)
	require.Equal(t, sshexec.RunExited, status.State, log)
	require.Zero(t, status.ExitCode, log)
	require.Equal(t, first+"\ncloner\n", srv.BashAs(t, r.User, `cd ~/site; git status --porcelain >&2; git rev-parse HEAD; stat -c %U file.txt`))

	status, log = cloneRun(t, srv, r)
	require.Zero(t, status.ExitCode, log)
	require.Equal(t, "The repository was cloned before.\n", log)

	second := commit(t, srv, r, "main", "second", "Bob")
	srv.BashAs(t, r.User, `cd ~/site/.git; : >index.lock; : >refs/remotes/origin/main.lock`) // of a deployment that was killed
	c, err := fetch(t, srv, r, "")
	require.NoError(t, err)
	srv.BashAs(t, r.User, `cd ~/site; git reset --quiet HEAD`)
	require.Equal(t, git.Commit{Hash: second, Subject: "second", Author: "Bob"}, c)
	require.Equal(t, "first", srv.BashAs(t, r.User, `cat ~/site/file.txt`), "nothing is checked out")

	c, err = fetch(t, srv, r, first)
	require.NoError(t, err)
	require.Equal(t, git.Commit{Hash: first, Subject: "first", Author: "Ann"}, c)

	aside := commit(t, srv, r, "aside", "on another branch", "Eve")
	_, err = fetch(t, srv, r, aside)
	require.Equal(t, git.CommitMissing, outcome(t, err))
	_, err = fetch(t, srv, r, strings.Repeat("0", 40))
	require.Equal(t, git.CommitMissing, outcome(t, err))

	gone := r
	gone.Branch = "gone"
	_, err = fetch(t, srv, gone, "")
	require.Equal(t, git.BranchMissing, outcome(t, err), err)

	status, _ = cloneRun(t, srv, git.Repo{URL: r.URL, Branch: r.Branch, User: r.User, Dir: "/home/cloner", Key: r.Key, KnownHosts: r.KnownHosts})
	require.Equal(t, 1, status.ExitCode, "not over files of others")
}

func TestHostileCommits(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	r := setUp(t, srv, "hostile")
	letIn(t, srv, r)
	commit(t, srv, r, "main", "first", "Ann")
	status, log := cloneRun(t, srv, r)
	require.Zero(t, status.ExitCode, log)

	for _, test := range []struct{ message, author, subject, name string }{
		{"$(touch /tmp/x) `id` '\"; rm -rf /\n\nbody", "A; id", "$(touch /tmp/x) `id` '\"; rm -rf /", "A; id"},
		{strings.Repeat("ü", 300), "Zoë", strings.Repeat("ü", 255), "Zoë"},
		{"\x1b[31mred\x1b[0m \x07bell", "Ann", "[31mred [0m  bell", "Ann"},
		{"\n\n", "Ann", "", "Ann"},
	} {
		hash := commit(t, srv, r, "main", test.message, test.author)
		c, err := fetch(t, srv, r, "")
		require.NoError(t, err, "%q", test.message)
		require.Equal(t, git.Commit{Hash: hash, Subject: test.subject, Author: test.name}, c)
	}
	// As long as a file may be.
	srv.BashAs(t, r.User, `cd ~/work; head -c 20000000 /dev/zero | tr '\0' x >~/long; git commit -q --allow-empty -F ~/long; GIT_SSH_COMMAND=$1 git push -q "$2" HEAD:main`, r.Env()["GIT_SSH_COMMAND"], r.URL)
	c, err := fetch(t, srv, r, "")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x", 255), c.Subject)
}

// A clone that was killed at any moment is taken up again.
func TestCloneAfterAKilledOne(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	r := setUp(t, srv, "resumer")
	letIn(t, srv, r)
	hash := commit(t, srv, r, "main", "first", "Ann")
	for _, left := range []string{
		`mkdir .git`,
		`git init -q`,
		`git init -q -b main; : >.git/forge-unfinished; : >.git/config.lock; : >.git/shallow.lock`,
		`git init -q -b main; : >.git/forge-unfinished; echo half >file.txt; : >.git/index.lock; : >.git/HEAD.lock`,
	} {
		srv.BashAs(t, r.User, `rm -rf ~/site; mkdir ~/site; cd ~/site; eval "$1"`, left)
		status, log := cloneRun(t, srv, r)
		require.Zero(t, status.ExitCode, "%s: %s", left, log)
		require.Equal(t, hash+"\n", srv.BashAs(t, r.User, `cd ~/site; [[ -z $(git status --porcelain) && ! -e .git/forge-unfinished ]]; git rev-parse HEAD`), left)
	}
}

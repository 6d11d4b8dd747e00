package e2e

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// gitServer makes a user who may be reached by ssh for git alone.
const gitServer = `useradd --system --create-home --shell /usr/bin/git-shell git
install -m 0644 /dev/null /etc/ssh/authorized_keys.d/git`

const commit = `repo=/home/git/$1.git file=$2
[ -d "$repo" ] || runuser -u git -- git init --quiet --bare --initial-branch=main "$repo"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
chown git: "$work"
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
as() { runuser -u git -- "$@"; }
as git clone --quiet "$repo" "$work/copy" 2>/dev/null
cd "$work/copy"
as mkdir -p -- "$(dirname -- "$file")"
as tee -- "$file" >/dev/null
as git add .
as git commit --quiet -m "Change $file"
as git push --quiet origin HEAD:main
git -c safe.directory='*' rev-parse HEAD`

// site is a site of one test, with a repository on the server if it has one.
type site struct {
	*forge.Site
	e      *embedder
	server *forge.Server
	repo   string
}

// commit adds or changes a file in the site's repository and returns the hash.
func (s *site) commit(t *testing.T, path, content string) string {
	t.Helper()
	return push(t, s.e, s.server, s.repo, path, content)
}

func push(t *testing.T, e *embedder, srv *forge.Server, repo, path, content string) string {
	t.Helper()
	result, err := e.Servers.Run(context.WithoutCancel(t.Context()), srv.ID, forge.RunOpts{
		User: "root", Script: commit, Args: []string{repo, path}, Stdin: strings.NewReader(content),
	})
	if err != nil && result != nil {
		t.Fatalf("%v\n%s", err, result.Stderr)
	}
	require.NoError(t, err)
	return strings.TrimSpace(string(result.Stdout))
}

// allow gives the site's deploy key access to its repository.
func (s *site) allow(t *testing.T) {
	t.Helper()
	s.e.bash(t, s.server, `printf 'restrict %s\n' "$1" >>/etc/ssh/authorized_keys.d/git`, s.DeployKey)
}

// newSite creates a site and waits until it is set up.
func newSite(t *testing.T, e *embedder, srv *forge.Server, opts forge.SiteOpts) *site {
	t.Helper()
	if opts.Domain == "" {
		opts.Domain = newName() + ".example.org"
	}
	made, action, err := e.Sites.Create(t.Context(), srv.ID, opts)
	e.finish(t, action, err)
	s := &site{Site: made, e: e, server: srv}
	s.reload(t)
	return s
}

func (s *site) reload(t *testing.T) {
	t.Helper()
	var err error
	s.Site, err = s.e.Sites.Get(t.Context(), s.ID)
	require.NoError(t, err)
}

func newName() string { return "s" + strings.ToLower(rand.Text()[:10]) }

// newGitSite creates a PHP site with a repository that has an index.php, which
// is deployed.
func newGitSite(t *testing.T, e *embedder, srv *forge.Server, opts forge.SiteOpts) *site {
	t.Helper()
	s := refusedSite(t, e, srv, opts)
	s.allow(t)
	action, err := e.Sites.Connect(t.Context(), s.ID)
	e.finish(t, action, err)
	s.reload(t)
	require.Equal(t, forge.SiteDeployed, s.Status)
	return s
}

// refusedSite creates a site whose repository does not know its deploy key yet.
func refusedSite(t *testing.T, e *embedder, srv *forge.Server, opts forge.SiteOpts) *site {
	t.Helper()
	repo := newName()
	push(t, e, srv, repo, "public/index.php", `<?php echo "first";`)
	opts.Repository = "ssh://git@127.0.0.1/home/git/" + repo + ".git"
	for _, key := range srv.HostKeys {
		opts.KnownHosts += "127.0.0.1 " + strings.TrimSpace(key) + "\n"
	}
	s := newSite(t, e, srv, opts)
	s.repo = repo
	require.Equal(t, forge.SiteAwaitingAccess, s.Status)
	return s
}

// deploy triggers a deployment and waits for its end, which must be finished.
func (s *site) deploy(t *testing.T) *forge.Deployment {
	t.Helper()
	d, err := s.e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.NoError(t, err)
	return s.deployed(t, d)
}

// deployed waits for a deployment, which must be finished.
func (s *site) deployed(t *testing.T, d *forge.Deployment) *forge.Deployment {
	t.Helper()
	d, err := s.e.Deployments.Wait(t.Context(), d.ID)
	if err != nil {
		t.Fatalf("%v; %v", err, s.e.tail(t.Context(), d.Action))
	}
	require.Equal(t, forge.DeploymentFinished, d.Status)
	return d
}

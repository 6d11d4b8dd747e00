package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

func TestRefusedRepository(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := refusedSite(t, e, srv, forge.SiteOpts{})
	open, err := e.Actions.List(t.Context(), forge.ActionFilter{Subject: forge.Subject{Kind: forge.SubjectSite, ID: s.ID}, Open: true}, forge.Page{})
	require.NoError(t, err)
	require.Empty(t, open, "nobody waits for the access")
	require.Regexp(t, `^ssh-ed25519 \S+ forge-`, s.DeployKey)
	_, err = e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.ErrorIs(t, err, forge.ErrState)
	key := s.DeployKey

	action, err := e.Sites.Connect(t.Context(), s.ID)
	e.finish(t, action, err)
	s.reload(t)
	require.Equal(t, forge.SiteAwaitingAccess, s.Status, "still without access")
	s.allow(t)
	action, err = e.Sites.Connect(t.Context(), s.ID)
	e.finish(t, action, err)
	s.reload(t)
	require.Equal(t, forge.SiteDeployed, s.Status)
	require.Equal(t, key, s.DeployKey)
	require.Equal(t, "first", get(t, srv, s.Domain, "/").body)
	_, err = e.Sites.Connect(t.Context(), s.ID)
	require.ErrorIs(t, err, forge.ErrState)
}

func TestFailedDeployment(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newGitSite(t, e, srv, forge.SiteOpts{DeployScript: `cd {{SITE_PATH}}
git fetch origin {{BRANCH}}
if git show FETCH_HEAD:broken 2>/dev/null | grep -q yes; then exit 3; fi
git reset --hard FETCH_HEAD`})
	s.commit(t, "broken", "yes")
	d, err := e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.NoError(t, err)
	d, err = e.Deployments.Wait(t.Context(), d.ID)
	var failed *forge.ActionError
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Equal(t, forge.ReasonExit, failed.Action.Failure.Reason)
	require.Equal(t, 3, failed.Action.Failure.ExitCode)
	require.Equal(t, forge.DeploymentFailed, d.Status)
	require.NotEmpty(t, d.Failure)
	s.reload(t)
	require.Equal(t, forge.SiteDeployed, s.Status)
	require.Equal(t, "first", get(t, srv, s.Domain, "/").body)

	s.commit(t, "broken", "no")
	hash := s.commit(t, "public/index.php", `<?php echo "second";`)
	d = s.deploy(t)
	require.Equal(t, hash, d.CommitHash)
	require.Equal(t, "Change public/index.php", d.CommitMessage)
	require.Contains(t, d.CommitAuthor, "Ada")
	require.Equal(t, "second", get(t, srv, s.Domain, "/").body)
}

func TestLongDomain(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	label := strings.Repeat(newName(), 5)[:50] + "."
	s := newGitSite(t, e, srv, forge.SiteOpts{Domain: strings.Repeat(label, 4) + "example.org"})
	require.Equal(t, "first", get(t, srv, s.Domain, "/").body)
}

// What is broken here is the configuration of all sites, so this test is not
// parallel.
func TestBrokenConfiguration(t *testing.T) {
	e, srv := theServer(t)
	good := newGitSite(t, e, srv, forge.SiteOpts{})
	serves := func() {
		t.Helper()
		require.Equal(t, "first", get(t, srv, good.Domain, "/").body)
	}
	const state = `sha256sum /etc/nginx/forge.d/* /etc/php/*/fpm/pool.d/* | grep -v zz-broken; systemctl show --property=MainPID nginx php*-fpm`
	before := e.bash(t, srv, state)
	for name, file := range map[string]string{"nginx": "/etc/nginx/conf.d/zz-broken.conf", "PHP-FPM": "/etc/php/*/fpm/pool.d/zz-broken.conf"} {
		t.Run(name, func(t *testing.T) {
			e.bash(t, srv, `cd $(dirname $1); echo 'no such directive;' >zz-broken.conf`, file)
			defer e.bash(t, srv, `rm -f $1`, file)
			made, action, err := e.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: newName() + ".example.org"})
			require.NoError(t, err)
			_, err = e.Actions.Wait(t.Context(), action.ID)
			require.ErrorIs(t, err, forge.ErrFailed)
			s := &site{Site: made, e: e, server: srv}
			s.reload(t)
			require.Equal(t, forge.SiteFailed, s.Status)
			require.Contains(t, s.Failure, "was broken before")
			serves()
			require.Equal(t, before, e.bash(t, srv, state))

			e.bash(t, srv, `rm -f $1`, file)
			action, err = e.Sites.Connect(t.Context(), s.ID)
			e.finish(t, action, err)
			s.reload(t)
			require.Equal(t, forge.SiteInstalled, s.Status)
			serves()
			action, err = e.Sites.Delete(t.Context(), s.ID)
			e.finish(t, action, err)
			require.Equal(t, before, e.bash(t, srv, state))
		})
	}
}

func TestRefusedServers(t *testing.T) {
	t.Parallel()
	p := newMachines(t)
	e, err := start(p, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.close()) })
	_, _, err = e.Servers.Create(t.Context(), forge.ServerOpts{
		Name: "old", Provider: "local", Image: "debian-12", Stack: forge.Stack{PHP: []string{"8.3"}},
	})
	require.ErrorIs(t, err, forge.ErrInvalid)
	require.ErrorContains(t, err, "8.2", "it says what can be had")
	require.Zero(t, p.made.Load())
	none, err := e.Servers.List(t.Context(), forge.ServerFilter{}, forge.Page{})
	require.NoError(t, err)
	require.Empty(t, none)

	srv, action, err := e.Servers.Create(t.Context(), forge.ServerOpts{
		Name: "ubuntu", Provider: "local", Image: "ubuntu-24.04", Labels: testmachine.Labels(),
	})
	require.NoError(t, err)
	_, err = e.Actions.Wait(t.Context(), action.ID)
	var failed *forge.ActionError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, forge.ReasonProvider, failed.Action.Failure.Reason)
	require.ErrorContains(t, err, "Mirrors", "it says what is missing")
	machines, err := p.List(t.Context())
	require.NoError(t, err)
	for _, m := range machines {
		require.NotEqual(t, srv.ID, m.SpecID, "nothing was made")
	}
}

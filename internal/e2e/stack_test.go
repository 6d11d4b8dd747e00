package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
)

// sealed lets a machine reach this host alone.
func sealed(m *provider.Machine) error {
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("table ip " + m.ID + ` {
	chain sealed { type filter hook forward priority 0; iifname "` + m.ID + `" drop; }
}
`)
	return cmd.Run()
}

// machinePHP is the version that the machines' distribution has.
func machinePHP() string {
	if testmachine.Image() == "debian-13" {
		return "8.4"
	}
	return "8.2"
}

// A server whose only way out is a proxy, with steps of the embedder's own, gets
// its stack, and later a version of PHP.
func TestServerBehindAProxy(t *testing.T) {
	t.Parallel()
	proxy := newProxy(t)
	p := newMachines(t)
	var machine *provider.Machine
	p.spoil = func(m *provider.Machine) error { machine = m; return sealed(m) }
	e, err := start(p, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.close()) })

	srv, action, err := e.Servers.Create(t.Context(), forge.ServerOpts{
		Name: "sealed", Provider: "local", Image: testmachine.Image(), Labels: testmachine.Labels(),
		Stack: forge.Stack{
			HTTPProxy: proxy.url, NoProxy: []string{"127.0.0.0/8", ".corp.example"},
			Before: []forge.Step{
				{Name: "a certificate's place", Script: "step=x; steps=() number=99\nmkdir -p /opt/own\necho \"$PWD $http_proxy ${FORGE_RUN_DIR-none}\"",
					Check: "[[ -d /opt/own ]]"},
				{Name: "it's a \"gate\"", Script: "cat\n[[ -e /root/gate ]]"}, // cat gets nothing to read
			},
			After: []forge.Step{{Name: "after all", Script: "nginx -v; echo done >/opt/own/after"}},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.remove(srv.ID)) })

	_, err = e.Actions.Wait(t.Context(), action.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	srv, err = e.Servers.Get(t.Context(), srv.ID)
	require.NoError(t, err)
	require.Equal(t, forge.ServerError, srv.Status)
	require.Equal(t, `stack: it's a "gate"`, e.part(t, action.ID, forge.KindInstallStack).Failure.Stage)
	require.NoError(t, os.WriteFile(file(machine, "/root/gate"), nil, 0o600))

	action, err = e.Servers.Retry(t.Context(), srv.ID)
	e.finish(t, action, err)
	log := e.lines(t, e.part(t, action.ID, forge.KindInstallStack).ID, forge.LineOutput)
	all := strings.Join(log, "\n")
	require.Contains(t, all, "a certificate's place\nalready done\n")
	require.NotContains(t, all, "number 99")
	require.Equal(t, "done\n", e.bash(t, srv, "cat /opt/own/after"))
	require.True(t, proxy.saw(archiveHost(e.bash(t, srv, "cat /etc/apt/sources.list"))), proxy.seen)

	t.Run("environment", func(t *testing.T) {
		require.Contains(t, e.bash(t, srv, "cat /etc/environment"), "\nhttps_proxy="+proxy.url+"\n")
		action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: "root", Command: `echo "$HTTPS_PROXY $no_proxy"; apt-get update`})
		e.finish(t, action, err)
		require.Contains(t, e.lines(t, action.ID, forge.LineOutput), proxy.url+" localhost,127.0.0.1,::1,127.0.0.0/8,.corp.example")

		site, action, err := e.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "static.example.org", Kind: forge.StaticSite, DeployScript: `echo "by $https_proxy"`})
		e.finish(t, action, err)
		d, err := e.Deployments.Trigger(t.Context(), site.ID, nil)
		require.NoError(t, err)
		d, err = e.Deployments.Wait(t.Context(), d.ID)
		require.NoError(t, err)
		require.Contains(t, e.lines(t, d.Action, forge.LineOutput), "by "+proxy.url)

		_, action, err = e.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "git.example.org", Kind: forge.StaticSite, Repository: "https://git.invalid/a/b.git"})
		require.NoError(t, err)
		_, err = e.Actions.Wait(t.Context(), action.ID)
		require.Error(t, err)
		require.True(t, proxy.saw("git.invalid:443"), proxy.seen)
	})
	t.Run("PHP", func(t *testing.T) { testPHP(t, e, srv) })
}

// testPHP adds a version to a server that has none, kills that, adds it again,
// and takes it away when no site uses it.
func testPHP(t *testing.T, e *embedder, srv *forge.Server) {
	version := machinePHP()
	versions := func() []string {
		t.Helper()
		srv, err := e.Servers.Get(t.Context(), srv.ID)
		require.NoError(t, err)
		return srv.Stack.PHP
	}
	packages := `dpkg-query -W -f '${db:Status-Status} ${Package}\n' | grep ' php' || true`
	before := e.bash(t, srv, `ls /etc; dpkg-query -W -f '${Package}\n'`)

	action, err := e.Servers.AddPHP(t.Context(), srv.ID, version)
	require.NoError(t, err)
	e.await(t, action.ID, "step 3 of 3: PHP "+version)
	e.bash(t, srv, `systemctl kill --signal=KILL "forge-run-$1-1.service"`, action.ID)
	_, err = e.Actions.Wait(t.Context(), action.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Empty(t, versions())

	action, err = e.Servers.AddPHP(t.Context(), srv.ID, version)
	e.finish(t, action, err)
	require.Equal(t, []string{version}, versions())
	_, err = e.Servers.AddPHP(t.Context(), srv.ID, version)
	require.ErrorIs(t, err, forge.ErrState)
	require.Contains(t, e.bash(t, srv, `php --version; systemctl is-active "php$1-fpm"`, version), "PHP "+version)

	site, action, err := e.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "php.example.org"})
	e.finish(t, action, err)
	_, err = e.Servers.RemovePHP(t.Context(), srv.ID, version)
	require.ErrorIs(t, err, forge.ErrState)
	require.ErrorContains(t, err, "php.example.org")
	action, err = e.Sites.Delete(t.Context(), site.ID)
	e.finish(t, action, err)

	action, err = e.Servers.RemovePHP(t.Context(), srv.ID, version)
	e.finish(t, action, err)
	require.Empty(t, versions())
	require.Equal(t, "installed php-common\n", e.bash(t, srv, packages), "of all versions")
	e.bash(t, srv, `[[ ! -e /etc/php/$1 && ! -e /usr/bin/php ]]; systemctl is-active nginx`, version)
	after := e.bash(t, srv, `ls /etc; dpkg-query -W -f '${Package}\n'`)
	for line := range strings.Lines(before) {
		require.Contains(t, after, line, "nothing else goes")
	}
}

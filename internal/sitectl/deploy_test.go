package sitectl_test

import (
	"bytes"
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/deployscript"
	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// detached runs what has a log of its own, and returns that.
func detached(t *testing.T, srv *servertest.Server, spec sshexec.RunSpec) string {
	t.Helper()
	spec.ID = "run-" + uuid.NewString()
	var log bytes.Buffer
	status, err := srv.Client.Attach(t.Context(), spec, 0, &log)
	require.NoError(t, err)
	require.NoError(t, srv.Client.Clean(context.WithoutCancel(t.Context()), spec.ID))
	require.Equal(t, sshexec.RunExited, status.State, log.String())
	require.Zero(t, status.ExitCode, log.String())
	return log.String()
}

// From nothing to the page of the second commit.
func TestWholeWay(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "whole")
	s.KnownHosts = srv.Bash(t, `awk '{print "127.0.0.1", $1, $2}' /etc/ssh/ssh_host_ed25519_key.pub`)
	create(t, srv, s)

	cmd, err := sitectl.DeployKey(s)
	require.NoError(t, err)
	out, err := srv.Run(t, cmd)
	require.NoError(t, err)
	key, err := git.ParseDeployKey([]byte(out))
	require.NoError(t, err)
	srv.Bash(t, `useradd -m -s /usr/bin/git-shell host; mkdir /home/host/.ssh; echo "restrict $1" >/home/host/.ssh/authorized_keys
		git init -q --bare -b main /home/host/app.git; chown -R host: /home/host; chmod 700 /home/host/.ssh`, key)
	t.Cleanup(func() { srv.Bash(t, `userdel -rf host 2>/dev/null`) })
	push := func(text string) {
		t.Helper()
		srv.Bash(t, `cd; rm -rf work; git init -q -b main work; cd work
			git config user.name Ann; git config user.email ann@example.com; git config --global safe.directory '*'
			git pull -q /home/host/app.git main 2>/dev/null || true
			mkdir -p public; echo "<?php echo '$1 ', getenv('SECRET') ?: 'no environment';" >public/index.php; touch composer.json; git add .; git commit -q -m "$1"
			git push -q /home/host/app.git main; chown -R host: /home/host/app.git`, text)
	}
	push("one")

	repo := s.Repo("host@127.0.0.1:app.git", "main")
	spec, err := repo.Clone()
	require.NoError(t, err)
	detached(t, srv, spec)
	require.Equal(t, "one no environment", get(t, srv, s.Names[0], "/").body)

	push("two")
	fetch, err := repo.Fetch("")
	require.NoError(t, err)
	out, err = srv.Run(t, fetch)
	require.NoError(t, err)
	commit, err := git.ParseCommit([]byte(out))
	require.NoError(t, err)
	require.Equal(t, "two", commit.Subject)
	require.Equal(t, "one no environment", get(t, srv, s.Names[0], "/").body)
	push("three") // comes too late for this deployment

	for name, script := range map[string]string{
		"default":      deployscript.Default(s.Kind),
		"placeholders": "cd {{SITE_PATH}}\ngit fetch origin {{BRANCH}}\ngit reset --hard \"$FORGE_DEPLOY_COMMIT\"\necho \"'{{DOMAIN}}'\"\n",
	} {
		values := deployscript.Values{Path: s.Paths().Site, Branch: "main", Domain: s.Names[0], Commit: commit.Hash, PHP: s.Paths().PHP}
		rendered, err := deployscript.Render(script, values)
		require.NoError(t, err)
		env := repo.Env()
		maps.Copy(env, values.Env())
		log := detached(t, srv, sshexec.RunSpec{Script: rendered, User: s.User, Dir: s.Paths().Site, Env: env})
		require.Contains(t, log, "HEAD is now at "+commit.Hash[:7], name)
		if name == "default" {
			require.Contains(t, log, "composer is not installed")
		} else {
			require.Contains(t, log, "'whole.example.com'\n")
		}
		require.Equal(t, "two no environment", get(t, srv, s.Names[0], "/").body)
		require.Equal(t, s.User, strings.TrimSpace(srv.Bash(t, `stat -c %U "$1/index.php"`, s.Paths().Web)))
	}
}

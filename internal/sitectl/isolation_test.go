package sitectl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// refused runs a script as a site's user that must fail and print no secret.
func refused(t *testing.T, srv *servertest.Server, user, script string, args ...string) {
	t.Helper()
	out, err := srv.Run(t, sshexec.Command{User: user, Script: script, Args: args})
	var exit *sshexec.ExitError
	require.ErrorAs(t, err, &exit, "%s\n%s", script, out)
	require.NotContains(t, out, "SECRET", script)
}

func TestSitesAreApart(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	thief, victim := phpSite(srv, "thief"), phpSite(srv, "owner")
	create(t, srv, victim)
	create(t, srv, thief)
	p := victim.Paths()
	put(t, srv, victim, p.Site+"/.env", "SECRET")
	put(t, srv, victim, p.Web+"/index.php", `<?php return "SECRET";`)
	key, err := sitectl.DeployKey(victim)
	require.NoError(t, err)
	_, err = srv.Run(t, key)
	require.NoError(t, err)

	for _, path := range []string{p.Site + "/.env", p.Web + "/index.php", p.DeployKey, p.Pool + ".undo", p.Logs + ".access.log"} {
		refused(t, srv, thief.User, `cat -- "$1"`, path)
	}
	refused(t, srv, thief.User, `ls -- "$1"`, p.Home)
	refused(t, srv, thief.User, `ls -- "$1"`, p.Site)
	refused(t, srv, thief.User, `cd -- "$1"`, p.Site)
	refused(t, srv, thief.User, `ln -- "$1" ~/stolen`, p.Web+"/index.php")
	refused(t, srv, thief.User, `exec 3<>/dev/null; php -r '$s = @stream_socket_client("unix://" . $argv[1]); exit($s ? 0 : 1);' "$1"`, p.Socket)
	refused(t, srv, thief.User, `rm -- "$1"`, p.Socket)
	refused(t, srv, thief.User, `rm -- "$1" || : >"$1"`, p.Vhost)
	refused(t, srv, thief.User, `echo x >>"$1"`, p.KnownHosts)
	refused(t, srv, thief.User, `echo x >>"$1"`, thief.Paths().KnownHosts)
	refused(t, srv, thief.User, `echo x >>"$1"`, thief.Paths().State+"/made")
	refused(t, srv, thief.User, `rm -rf -- "$1"`, thief.Paths().State)

	t.Run("a link to the secret in the way of PHP", func(t *testing.T) {
		srv.BashAs(t, thief.User, `ln -s -- "$1" "$2/linked.php"`, p.Web+"/index.php", thief.Paths().Web)
		require.NotContains(t, get(t, srv, thief.Names[0], "/linked.php").body, "SECRET")
	})
	t.Run("FastCGI to the own pool, which could set what PHP may not", func(t *testing.T) {
		const connect = `$s = @stream_socket_client("unix://" . $socket, $code); echo $s ? "open" : "error $code";`
		socket := thief.Paths().Socket
		srv.Bash(t, `test -S "$1"`, socket)
		require.Equal(t, "error 13", srv.BashAs(t, thief.User, `php -r "$1" "$2"`, `$socket = $argv[1]; `+connect, socket))
		put(t, srv, thief, thief.Paths().Web+"/self.php", `<?php $socket = "`+socket+`"; `+connect)
		require.Equal(t, "error 13", get(t, srv, thief.Names[0], "/self.php").body)
	})
	t.Run("what the opcode cache has of others", func(t *testing.T) {
		put(t, srv, thief, thief.Paths().Web+"/steal.php", `<?php
			ini_set("opcache.validate_timestamps", 0); ini_set("opcache.revalidate_freq", 1000);
			echo "got ", @include "`+p.Web+`/index.php";
			echo " status ", json_encode(@opcache_get_status()["scripts"] ?? null), " reset ", json_encode(@opcache_reset());`)
		// Files younger than two seconds are not cached.
		srv.Bash(t, `touch -d '1 hour ago' -- "$1"`, p.Web+"/index.php")
		get(t, srv, victim.Names[0], "/")
		body := get(t, srv, thief.Names[0], "/steal.php").body
		require.Equal(t, "got  status null reset false", body)
	})
}

// Whatever a site's user plants in the home, root does not follow it.
func TestPlantedLinks(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := phpSite(srv, "planter")
	create(t, srv, s)
	p := s.Paths()
	srv.Bash(t, `install -d -m 0700 /root/target; echo kept >/root/target/file; chmod 0600 /root/target/file`)
	const state = `stat -c '%n %U %a %s' /root/target /root/target/file; stat -c '%n %U %G %a' /etc/shadow /etc/ssh /root; ls -A /root/target /root/.ssh`
	before := srv.Bash(t, state)

	srv.BashAs(t, s.User, `rm -rf "$1"; ln -s /root/target "$1"; ln -s /root/target ~/.ssh; ln -s /etc/shadow ~/shadow`, p.Site)
	_, err := srv.Run(t, createCommand(t, s))
	require.Error(t, err, "the web directory cannot be made there")
	key, err := sitectl.DeployKey(s)
	require.NoError(t, err)
	_, err = srv.Run(t, key)
	require.Error(t, err)

	srv.BashAs(t, s.User, `rm ~/.ssh; mkdir ~/.ssh; ln -s /etc/shadow "$1"; ln -s /etc/shadow "$1.new"`, p.DeployKey)
	out, err := srv.Run(t, key)
	if err == nil { // it made a key of its own beside
		_, err = git.ParseDeployKey([]byte(out))
		require.NoError(t, err)
	}
	require.Equal(t, before, srv.Bash(t, state))

	srv.BashAs(t, s.User, `mkdir -p ~/a; ln -s /root/target ~/a/b; ln -s /root/target ~/c`)
	remove(t, srv, s)
	require.Equal(t, before, srv.Bash(t, state))
	srv.Bash(t, `rm -r /root/target`)
}

func TestDeployKey(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	s := staticSite("keyed")
	create(t, srv, s)
	cmd, err := sitectl.DeployKey(s)
	require.NoError(t, err)
	first, err := srv.Run(t, cmd)
	require.NoError(t, err)
	line, err := git.ParseDeployKey([]byte(first))
	require.NoError(t, err)
	require.Regexp(t, `^ssh-ed25519 \S+ forge-keyed-0190$`, line)
	again, err := srv.Run(t, cmd)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, "keyed 600\nkeyed 700\n", srv.Bash(t, `stat -c '%U %a' -- "$1" "${1%/*}"`, s.Paths().DeployKey))
}

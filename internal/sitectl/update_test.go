package sitectl_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
)

// nextPHP gives the server what looks like another version of PHP: the one that
// it has under another name, with a service and pools of its own.
func nextPHP(t testing.TB, srv *servertest.Server) string {
	t.Helper()
	const next = "9.9"
	srv.Bash(t, `cp -a "/etc/php/$1" "/etc/php/$2"
rm -f "/etc/php/$2/fpm/pool.d/"forge-*
grep -rlF "$1" "/etc/php/$2/fpm" | xargs sed -i "s/${1//./\\.}/$2/g"
printf '#!/bin/sh\nexec "/usr/sbin/php-fpm%s" --fpm-config "/etc/php/%s/fpm/php-fpm.conf" "$@"\n' "$1" "$2" >"/usr/sbin/php-fpm$2"
chmod 0755 "/usr/sbin/php-fpm$2"
sed "/^ExecStartPost\|^ExecStopPost/d; s/${1//./\\.}/$2/g" "/lib/systemd/system/php$1-fpm.service" >"/etc/systemd/system/php$2-fpm.service"
systemctl daemon-reload
systemctl start "php$2-fpm"`, srv.PHP, next)
	return next
}

// Requests are answered all the time while the version changes, and nothing of
// the old one stays.
func TestPHPVersionChanges(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	old, other := phpSite(srv, "moving"), phpSite(srv, "staying")
	create(t, srv, other)
	create(t, srv, old)
	for _, s := range []sitectl.Site{old, other} {
		put(t, srv, s, s.Paths().Web+"/index.php", `<?php echo $_SERVER["SERVER_NAME"];`)
	}
	moved := old
	moved.PHPVersion = nextPHP(t, srv)

	answers := make(chan string)
	go func() {
		answers <- srv.Bash(t, `: >/run/asking; n=0
while [[ -e /run/asking ]]; do
	[[ $(curl -sS -H "Host: $1" http://127.0.0.1/) == "$1" ]] || echo bad
	n=$((n + 1))
done
((n > 20)) || echo "asked $n times"`, old.Names[0])
	}()
	srv.Bash(t, `until [[ -e /run/asking ]]; do sleep 0.01; done`)
	out, err := srv.Run(t, createCommand(t, moved))
	require.NoError(t, err)
	require.Contains(t, out, "removed "+old.Paths().Pool+"\n")
	srv.Bash(t, `rm /run/asking`)
	require.Empty(t, <-answers)

	p := moved.Paths()
	srv.Bash(t, `! ls "$1" "$2" 2>/dev/null; test -S "$3"`, old.Paths().Pool, old.Paths().Socket, p.Socket)
	require.Equal(t, "pool "+p.Pool+"\n", srv.Bash(t, `grep ^pool "$1/made"`, p.State))
	require.Equal(t, "staying.example.com", get(t, srv, other.Names[0], "/").body)

	// And back, by way of files alone.
	files := old
	files.Kind, files.PHPVersion = nginx.Static, ""
	create(t, srv, files)
	srv.Bash(t, `! ls "$1" "$2" "$3" 2>/dev/null; ! grep ^pool "$4/made"`, old.Paths().Pool, p.Pool, p.Socket, p.State)
	require.Equal(t, "403", get(t, srv, old.Names[0], "/index.php").status)
	create(t, srv, old)
	require.Equal(t, "moving.example.com", get(t, srv, old.Names[0], "/").body)
	require.Empty(t, changes(t, srv, func() { create(t, srv, old) }))
}

// What nginx refuses, or either FPM, changes nothing at all.
func TestRefusedChangeLeavesTheSite(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	old := phpSite(srv, "kept")
	create(t, srv, old)
	put(t, srv, old, old.Paths().Web+"/index.php", `<?php echo "kept";`)
	moved := old
	moved.PHPVersion, moved.KnownHosts = nextPHP(t, srv), "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	moved.Names = append(moved.Names, "more.example.com")

	for _, arg := range []int{vhostArg, poolArg} {
		broken := createCommand(t, moved)
		broken.Args[arg] += "\nno_such_directive on;"
		left := changes(t, srv, func() {
			_, err := srv.Run(t, broken)
			require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrRejected)
		})
		require.Empty(t, strings.NewReplacer("< "+old.Paths().State+"/made\n", "", "> "+old.Paths().State+"/made\n", "").Replace(left))
		require.Equal(t, "kept", get(t, srv, old.Names[0], "/").body)
	}
	// The old FPM does not let go: its configuration is broken by others.
	srv.Bash(t, `echo '[broken nonsense' >"/etc/php/$1/fpm/pool.d/zz-broken.conf"`, srv.PHP)
	left := changes(t, srv, func() {
		_, err := srv.Run(t, createCommand(t, moved))
		require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrBrokenBefore)
	})
	require.NotContains(t, left, ".conf")
	require.NotContains(t, left, "known_hosts")
	srv.Bash(t, `rm "/etc/php/$1/fpm/pool.d/zz-broken.conf"; until ! [[ -S $2 ]]; do sleep 0.01; done`, srv.PHP, moved.Paths().Socket)
	require.Equal(t, "kept", get(t, srv, old.Names[0], "/").body)
	require.Len(t, strings.Fields(srv.Bash(t, `ls /etc/nginx/forge.d`)), 1)
}

// A run that ended between two versions is made up for, and removed whole.
func TestTwoPoolsOfOneSite(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	old := phpSite(srv, "between")
	create(t, srv, old)
	moved := old
	moved.PHPVersion = nextPHP(t, srv)
	half := createCommand(t, moved)
	half.Script = strings.Replace(half.Script, "drop_pool \"$old\"\n", "put_back() { :; }; touched=(); kill -KILL $$\n", 1)
	_, err := srv.Run(t, half)
	require.Error(t, err)
	srv.Bash(t, `rm -f /etc/nginx/forge.d/*.undo /etc/php/*/fpm/pool.d/*.undo; ls "$1" "$2"; [[ $(grep -c ^pool "$3/made") == 2 ]]`,
		old.Paths().Pool, moved.Paths().Pool, old.Paths().State)
	out, err := srv.Run(t, deleteCommand(t, moved))
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(out, "removed the FPM pool"), out)
	srv.Bash(t, `! ls /run/php/forge-* /etc/php/*/fpm/pool.d/forge-* 2>/dev/null`)
}

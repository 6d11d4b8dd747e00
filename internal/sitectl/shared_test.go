package sitectl_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
)

func TestSharedUser(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	one, two := phpSite(srv, "one"), phpSite(srv, "two")
	one.User, two.User = sitectl.SharedUser, sitectl.SharedUser

	require.Empty(t, changes(t, srv, func() {
		_, err := srv.Run(t, createCommand(t, one))
		require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrNotInstalled)
	}), "the stack makes the user")
	srv.Bash(t, `useradd --create-home --shell /bin/bash forge; chown forge:www-data /home/forge; chmod 0710 /home/forge
install -d /etc/ssh/authorized_keys.d; echo key >/etc/ssh/authorized_keys.d/forge`)

	create(t, srv, two)
	put(t, srv, two, two.Paths().Web+"/index.php", probe)
	left := changes(t, srv, func() {
		create(t, srv, one)
		put(t, srv, one, one.Paths().Web+"/index.php", probe)
		require.Contains(t, get(t, srv, one.Names[0], "/").body, " forge forge")
		key, err := sitectl.DeployKey(one)
		require.NoError(t, err)
		_, err = srv.Run(t, key)
		require.NoError(t, err)
		// A directory that its owner cannot write, as caches of packages are.
		srv.BashAs(t, "forge", `mkdir "$1/cache"; echo x >"$1/cache/x"; chmod 0500 "$1/cache"; setsid sleep 300 >/dev/null 2>&1 </dev/null &`, one.Paths().Site)
		out, err := srv.Run(t, deleteCommand(t, one))
		require.NoError(t, err)
		require.Equal(t, "removed the virtual host\nremoved the FPM pool\nremoved /home/forge/one.example.com\n", out)
	})
	require.NotContains(t, left, "/home")
	require.NotContains(t, left, "/etc")
	require.NotContains(t, left, "one-0190")
	require.Contains(t, get(t, srv, two.Names[0], "/").body, " forge forge")
	srv.Bash(t, `pkill -u forge --exact sleep; cat /etc/ssh/authorized_keys.d/forge; [[ $(stat -c %U:%G:%a /home/forge) == forge:www-data:710 ]]`)

	// What is there already is not taken over, and not removed.
	srv.BashAs(t, "forge", `mkdir "$1"; echo mine >"$1/x"`, one.Paths().Site)
	for range 2 {
		_, err := srv.Run(t, createCommand(t, one))
		require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrTaken)
		remove(t, srv, one)
		srv.Bash(t, `cat "$1/x"`, one.Paths().Site)
	}
	srv.BashAs(t, "forge", `rm -r "$1"; ln -s /etc "$1"`, one.Paths().Site)
	_, err := srv.Run(t, createCommand(t, one))
	require.ErrorIs(t, sitectl.Explain(err), sitectl.ErrTaken)

	// A link in the place of the directory is removed, and nothing behind it.
	srv.BashAs(t, "forge", `rm "$1"`, one.Paths().Site)
	create(t, srv, one)
	srv.BashAs(t, "forge", `rm -r "$1"; ln -s "$2" "$1"`, one.Paths().Site, two.Paths().Site)
	remove(t, srv, one)
	srv.Bash(t, `! test -L "$1"; test -e "$2/index.php"`, one.Paths().Site, two.Paths().Web)
}

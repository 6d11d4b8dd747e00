package envfile_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/dotenv"
	"github.com/seed-797f2c2c/forge/internal/envfile"
	"github.com/seed-797f2c2c/forge/internal/servertest"
)

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"", "root"} {
		_, err := envfile.Write(user, "/home/app", nil)
		require.Error(t, err, user)
	}
	for _, dir := range []string{"", "app", "/home/../etc", "/home/"} {
		_, err := envfile.Write("app", dir, nil)
		require.Error(t, err, dir)
	}
	_, err := envfile.Write("app", "/home/app", []dotenv.Var{{Name: "A", Value: "\x00"}})
	require.Error(t, err)
}

func TestScriptIsClean(t *testing.T) {
	t.Parallel()
	cmd, err := envfile.Write("app", "/home/app", nil)
	require.NoError(t, err)
	servertest.Shellcheck(t, cmd.Script)
}

// writer is a site's user on a server.
type writer struct {
	*servertest.Server
	name, dir string
}

func newWriter(t *testing.T) writer {
	w := writer{servertest.Start(t), "writer", "/home/writer/app"}
	w.Bash(t, `useradd -m -s /bin/bash writer; chmod 755 /home/writer; runuser -u writer mkdir /home/writer/app`)
	return w
}

func (w writer) write(t *testing.T, vars ...dotenv.Var) error {
	t.Helper()
	cmd, err := envfile.Write(w.name, w.dir, vars)
	require.NoError(t, err)
	_, err = w.Run(t, cmd)
	return err
}

func TestWrite(t *testing.T) {
	t.Parallel()
	w := newWriter(t)
	list := func() string {
		return w.Bash(t, `cd "$1"; find . ! -name . -printf '%y %m %u:%g %f %l\n' | sort`, w.dir)
	}
	a := dotenv.Var{Name: "A", Value: "one"}
	require.NoError(t, w.write(t, a))
	require.Equal(t, "f 600 writer:writer .env \n", list())
	require.Equal(t, dotenv.Header+"A='one'\n", w.Bash(t, `cat "$1/.env"`, w.dir))

	// What is in the way, of a run that was killed or of the user's, is replaced.
	w.BashAs(t, w.name, `cd "$1"; echo mine >~/target; ln -sf ~/target .env; ln -sf ~/target .env.forge-new`, w.dir)
	a.Value = "two"
	require.NoError(t, w.write(t, a))
	require.Equal(t, "f 600 writer:writer .env \n", list())
	require.Equal(t, "mine\n", w.Bash(t, `cat ~writer/target`))
	require.Equal(t, dotenv.Header+"A='two'\n", w.Bash(t, `cat "$1/.env"`, w.dir))

	// What does not arrive whole, and what has no room, leaves the old one.
	cmd, err := envfile.Write(w.name, w.dir, []dotenv.Var{{Name: "A", Value: strings.Repeat("x", 1<<20)}})
	require.NoError(t, err)
	cmd.Stdin = io.LimitReader(cmd.Stdin, 1<<19)
	_, err = w.Run(t, cmd)
	require.ErrorContains(t, err, "did not arrive whole")
	w.Bash(t, `cp "$1/.env" /tmp/old; mount -t tmpfs -o size=64k,mode=0777 tmpfs "$1"; install -o writer -g writer -m 600 /tmp/old "$1/.env"; rm /tmp/old`, w.dir)
	t.Cleanup(func() { w.Bash(t, `! mountpoint -q "$1" || umount "$1"`, w.dir) })
	require.ErrorContains(t, w.write(t, dotenv.Var{Name: "A", Value: strings.Repeat("x", 1<<20)}), "No space left")
	require.Equal(t, "f 600 writer:writer .env \n", list())
	require.Equal(t, dotenv.Header+"A='two'\n", w.Bash(t, `cat "$1/.env"`, w.dir))

	w.BashAs(t, w.name, `ln -sf ~/target "$1/.env"`, w.dir)
	require.NoError(t, w.write(t))
	require.NoError(t, w.write(t), "again")
	require.Empty(t, list())
	require.Equal(t, "mine\n", w.Bash(t, `cat ~writer/target`))
	require.Error(t, func() error { w.dir += "/none"; return w.write(t, a) }())
}

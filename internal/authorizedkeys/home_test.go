package authorizedkeys_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// What is wrong with a home ends the change with an error of its own, which names
// the file, and changes nothing.
func TestTroubleWithHomes(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	key, there := newPair(t), newPair(t)
	for i, test := range []struct {
		name, trouble string // $1 is the home, $2 the line that is there
		want          error
		names         string
	}{
		{"no space", `mount -t tmpfs -o size=16k none "$1"; install -d -o "$3" "$1/.ssh"; echo "$2" >"$1/.ssh/authorized_keys"; chown "$3" "$1/.ssh/authorized_keys"
			dd if=/dev/zero of="$1/fill" status=none || true`, authorizedkeys.ErrNoSpace, "/.ssh/.authorized_keys."},
		{"no inode", `mount -t tmpfs -o nr_inodes=4 none "$1"; install -d -o "$3" "$1/.ssh"; echo "$2" >"$1/.ssh/authorized_keys"; chown "$3" "$1/.ssh/authorized_keys"
			touch "$1/fill" || true`, authorizedkeys.ErrNoSpace, "/.ssh/.authorized_keys."},
		{"no inode and no directory", `mount -t tmpfs -o nr_inodes=2 none "$1"; chown "$3" "$1"; touch "$1/fill"`, authorizedkeys.ErrNoSpace, "/.ssh"},
		{"no inode for more than a directory", `mount -t tmpfs -o nr_inodes=2 none "$1"; chown "$3" "$1"`, authorizedkeys.ErrNoSpace, "/.ssh/.authorized_keys."},
		{"read-only", `mount -t tmpfs none "$1"; install -d -o "$3" "$1/.ssh"; echo "$2" >"$1/.ssh/authorized_keys"; chown "$3" "$1/.ssh/authorized_keys"; mount -o remount,ro "$1"`,
			authorizedkeys.ErrReadOnly, "/.ssh/.authorized_keys."},
		{"read-only without a directory", `mount -t tmpfs none "$1"; mount -o remount,ro "$1"`, authorizedkeys.ErrReadOnly, "/.ssh"},
		{"missing", `rm -r "$1"`, authorizedkeys.ErrNoHome, ""},
		{"a file", `rm -r "$1"; touch "$1"`, authorizedkeys.ErrNoHome, ""},
		{"of root", `install -d "$1/.ssh"; echo "$2" >"$1/.ssh/authorized_keys"; chmod 600 "$1/.ssh/authorized_keys"`, authorizedkeys.ErrUnreadable, "/.ssh/authorized_keys"},
		{"behind root's directory", `install -d -m 0700 "$1/.ssh"; echo "$2" >"$1/.ssh/authorized_keys"`, authorizedkeys.ErrUnreadable, "/.ssh/authorized_keys"},
		{"closed", `chown root "$1"; chmod 700 "$1"`, authorizedkeys.ErrUnreadable, "/.ssh"},
		{"a directory", `install -d -o "$3" "$1/.ssh" "$1/.ssh/authorized_keys"`, authorizedkeys.ErrUnreadable, "/.ssh/authorized_keys"},
		{"a FIFO", `install -d -o "$3" "$1/.ssh"; mkfifo "$1/.ssh/authorized_keys"; chown "$3" "$1/.ssh/authorized_keys"`, authorizedkeys.ErrUnreadable, "/.ssh/authorized_keys"},
		{"a loop", `install -d -o "$3" "$1/.ssh"; ln -s authorized_keys "$1/.ssh/authorized_keys"`, authorizedkeys.ErrUnreadable, "/.ssh/authorized_keys"},
		{"a link to what root alone can read", `install -d -o "$3" "$1/.ssh"; ln -s /etc/shadow "$1/.ssh/authorized_keys"`, authorizedkeys.ErrUnreadable, "/etc/shadow"},
		{"a directory is a file", `touch "$1/.ssh"; chown "$3" "$1/.ssh"`, authorizedkeys.ErrUnreadable, "/.ssh/authorized_keys"},
		{"huge", `install -d -o "$3" "$1/.ssh"; truncate -s 1T "$1/.ssh/authorized_keys"; chown "$3" "$1/.ssh/authorized_keys"`, authorizedkeys.ErrTooLarge, "/.ssh/authorized_keys"},
	} {
		t.Run(test.name, func(t *testing.T) {
			user := fmt.Sprintf("trouble-%d", i)
			home := "/home/" + user
			newUser(t, srv, user)
			srv.Bash(t, test.trouble, home, there.line, user)
			t.Cleanup(func() { srv.Bash(t, `umount "$1" 2>/dev/null || true; rm -rf "$1"`, home) })
			const look = `cd /; find "$1" -printf '%p %y %m %u %g %s %l %C@\n' | sort; if [[ -f $1/.ssh/authorized_keys && ! -s $1/fill ]]; then head -c 9999 "$1/.ssh/authorized_keys"; fi`
			before := ""
			if test.name != "missing" {
				before = withoutTimes(srv.Bash(t, look, home))
			}
			cmd, err := authorizedkeys.Changes{
				{User: user, Home: true, Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}},
				{User: "www-data", Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}},
			}.Command()
			require.NoError(t, err)
			out, err := srv.Run(t, cmd)
			require.ErrorIs(t, authorizedkeys.Explain(err), test.want)
			outcomes, err := authorizedkeys.Outcomes([]byte(out))
			require.NoError(t, err)
			require.Len(t, outcomes, 2)
			require.ErrorIs(t, outcomes[0].Err, test.want)
			require.Contains(t, outcomes[0].Err.Error(), test.names)
			require.NoError(t, outcomes[1].Err, "the other user")
			require.True(t, outcomes[1].Changed(), "the other user")
			if test.name != "missing" {
				require.Equal(t, before, withoutTimes(srv.Bash(t, look, home)))
			}
			srv.Bash(t, `rm /etc/ssh/authorized_keys.d/www-data`)
		})
	}
}

// withoutTimes takes the times of change from what find printed of directories,
// which see a file come and go.
func withoutTimes(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "d" {
			line = strings.Join(fields[:5], " ") + "\n"
		}
		b.WriteString(line)
	}
	return b.String()
}

// What root does in a home has the user's rights only: a directory in place of
// ~/.ssh that is not the user's is not written to.
func TestHomeHasTheUsersRightsOnly(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "climber")
	srv.Bash(t, `groupadd -f climbers; gpasswd -a climber climbers >/dev/null
		mkdir -p /srv/only-root /srv/climbers/keys; chmod 700 /srv/only-root; touch /srv/only-root/authorized_keys
		chgrp climbers /srv/climbers /srv/climbers/keys; chmod 750 /srv/climbers; chmod 770 /srv/climbers/keys`)
	change := authorizedkeys.Change{User: "climber", Home: true, Add: []authorizedkeys.Key{{ID: "k", Line: newPair(t).line}}}
	for _, target := range []string{"/srv/only-root", "/etc/ssh", "/root"} {
		srv.Bash(t, `ln -sfn "$1" /home/climber/.ssh`, target)
		before := srv.Bash(t, `ls -lA "$1"`, target)
		cmd, err := change.Command()
		require.NoError(t, err)
		_, err = srv.Run(t, cmd)
		require.Error(t, err, target)
		require.Equal(t, before, srv.Bash(t, `ls -lA "$1"`, target))
	}
	srv.Bash(t, `ln -sfn /srv/climbers/keys /home/climber/.ssh`)
	require.True(t, apply(t, srv, change), "by a group")
	require.Equal(t, "climber climber 600\n", srv.Bash(t, `stat -c '%U %G %a' /srv/climbers/keys/authorized_keys`))
}

func TestLinkStays(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "linker")
	key := newPair(t)
	srv.BashAs(t, "linker", `mkdir -p ~/.ssh ~/dotfiles/ssh; ln -s ../dotfiles/link ~/.ssh/authorized_keys; ln -s "$HOME/dotfiles/ssh/keys" ~/dotfiles/link; echo '# mine' >~/dotfiles/ssh/keys`)
	change := authorizedkeys.Change{User: "linker", Home: true, Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}}
	require.True(t, apply(t, srv, change))
	require.Equal(t, "# mine\n"+key.line+" forge:k\n", read(t, srv, "/home/linker/dotfiles/ssh/keys"))
	require.Equal(t, "../dotfiles/link\n", srv.Bash(t, `readlink /home/linker/.ssh/authorized_keys; ls -A /home/linker/dotfiles/ssh | grep -v keys || true`))
	srv.Bash(t, `rm /home/linker/dotfiles/ssh/keys`)
	require.True(t, apply(t, srv, change), "the file that the link names is missing")
	require.Equal(t, key.line+" forge:k\n", read(t, srv, "/home/linker/dotfiles/ssh/keys"))
}

// A user appends as ssh-copy-id does while forge edits.
func TestUserWritesMeanwhile(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "writer")
	srv.BashAs(t, "writer", `mkdir -p ~/.ssh; echo '# first' >~/.ssh/authorized_keys`)
	var writing sync.WaitGroup
	const lines = 200
	writing.Go(func() {
		_, err := srv.Run(t, sshexec.Command{User: "writer", Args: []string{fmt.Sprint(lines)}, Script: `cd ~/.ssh
			for ((i = 0; i < $1; i++)); do echo "# appended $i." | cat >>authorized_keys; done`})
		if err != nil {
			t.Errorf("append: %v", err)
		}
	})
	defer writing.Wait()
	change := authorizedkeys.Change{User: "writer", Home: true, Add: []authorizedkeys.Key{{ID: "k", Line: newPair(t).line}}}
	for range 20 {
		require.True(t, apply(t, srv, change))
		require.True(t, apply(t, srv, authorizedkeys.Change{User: "writer", Home: true, Remove: []string{change.Add[0].Line}}))
	}
	writing.Wait()
	text := read(t, srv, "/home/writer/.ssh/authorized_keys")
	for i := range lines {
		require.Equal(t, 1, strings.Count(text, fmt.Sprintf("# appended %d.\n", i)), i)
	}
	require.Equal(t, "authorized_keys\n", srv.Bash(t, `ls -A /home/writer/.ssh`))
}

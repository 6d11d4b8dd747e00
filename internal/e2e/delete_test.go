package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// everything lists what a site could leave on a server: all files with their
// modes and owners and what those of the configuration hold, the users, and what
// listens and runs. It leaves out the journals of the system and of forge's runs.
const everything = `cd /
find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./root -o -path ./home/git -o -path ./var/lib/forge -o -path ./var/lib/mysql \
	-o -path ./usr/share -o -path ./usr/lib -o -path ./usr/bin -o -path ./var/lib/redis -o -path ./var/lib/dpkg -o -path ./var/log/journal -o -path ./var/lib/systemd -o -path ./etc/.pwd.lock \) -prune \
	-o -printf '%p %u:%g %m %y %l\n' | grep -vE '^\./(etc/(passwd|shadow|group|gshadow|subuid|subgid)-|var/lib/logrotate|var/log/) ' | sort
find /run /tmp /var/tmp /dev/shm -printf '%p %u:%g %m %y %l\n' 2>/dev/null | grep -vE '^/run/(systemd|user|udev|log|lock|forge|credentials|sudo|dbus|mysqld)(/| )|^/tmp/systemd-private' | sort
find /etc -type f ! -name '*-' ! -path /etc/ssh/authorized_keys.d/git -exec sha256sum {} + | sort -k 2
ss -Hltnx | awk '{ print $1, $2, $5 }' | grep -v '/run/systemd\|dbus' | sort
ps -eo user:32,args | grep -E 'php|nginx|site-' | grep -v 'grep\|ps -eo' | sort
echo 'that is all'`

// All of a server is compared, so this test is not parallel.
func TestDeleteSite(t *testing.T) {
	e, srv := theServer(t)
	stays := newGitSite(t, e, srv, forge.SiteOpts{})
	l := newLaptop(t, srv)
	key, err := e.Keys.Add(t.Context(), forge.KeyOpts{Name: "laptop", Public: l.public})
	require.NoError(t, err)
	sync := func(s *site) {
		action, err := e.Keys.Sync(t.Context(), key.ID, forge.Selector{Servers: []string{srv.ID}, User: s.User})
		e.finish(t, action, err)
	}
	sync(stays)
	before := e.bash(t, srv, everything)
	require.True(t, strings.HasSuffix(before, "\nthat is all\n"), "it is too long")

	s := newGitSite(t, e, srv, forge.SiteOpts{Aliases: []string{newName() + ".example.org"}, DeployScript: deaf})
	sync(s)
	e.bashAs(t, srv, s.User, `touch /tmp/mine /var/tmp/mine /dev/shm/mine; mkdir -p ~/deep/er; (setsid sleep 1000 >/dev/null 2>&1 &)`)
	d, _ := s.hang(t)
	require.NotEqual(t, before, e.bash(t, srv, everything))

	action, err := e.Sites.Delete(t.Context(), s.ID)
	e.finish(t, action, err)
	d, err = e.Deployments.Get(t.Context(), d.ID)
	require.NoError(t, err)
	require.Equal(t, forge.DeploymentCancelled, d.Status)
	_, err = e.Sites.Get(t.Context(), s.ID)
	require.ErrorIs(t, err, forge.ErrNotFound)
	require.Equal(t, before, e.bash(t, srv, everything))
	l.refused(t, s.User)
	require.Equal(t, "first", get(t, srv, stays.Domain, "/").body)
}

package stack_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// recordClient puts a database client first in the path that notes how it was
// called.
const recordClient = `install -m 0666 /dev/null /var/tmp/calls
cat >"/usr/local/sbin/$1" <<'EOF2'
#!/bin/bash
{ printf '%s\n' "$0" "$@"; env; } >>/var/tmp/calls
exec "/usr/bin/${0##*/}" "$@"
EOF2
chmod 0755 "/usr/local/sbin/$1"`

// state is what a run that changes nothing leaves as it is.
const state = `{ dpkg -l; find /etc /usr /home /root /var/lib/dpkg /var/lib/forge/apt-lists -printf '%p %T@ %m %u %l\n' 2>/dev/null | sort || true; } | sha256sum`

func TestInstall(t *testing.T) {
	t.Parallel()
	m := start(t)
	php, node := "8.2", "18"
	if image() == "debian-13" {
		php, node = "8.4", "20"
	}
	c := stack.Config{
		OS: image(), PHP: []string{php}, Database: stack.MariaDB, Redis: true, Composer: true,
		Supervisor: true, Node: node, SwapMB: 512, UnattendedUpgrades: true, Timezone: "Europe/Berlin",
	}
	m.bash(t, recordClient, "mariadb")
	m.bash(t, recordClient, "redis-cli")

	// Killed while dpkg unpacks, with no chance to tidy up.
	log, status := m.install(t, c, trigger{"Unpacking php" + php + "-common", func() { m.bash(t, killInstall) }})
	require.NotEqual(t, sshexec.RunExited, status.State, tail(log))
	require.NotContains(t, log, "every step is done")

	log = m.mustInstall(t, c)
	require.Contains(t, log, "timezone\nalready done\n")
	require.Contains(t, log, ": SSH\nalready done\n")
	require.NotContains(t, log, ": PHP "+php+"\nalready done\n")
	require.Contains(t, log, "a container has no swap of its own: skipped\n")

	before := m.bash(t, state)
	log = m.mustInstall(t, c)
	require.Equal(t, strings.Count(log, "\nstep ")+1, strings.Count(log, "\nalready done\n"), log)
	require.Equal(t, before, m.bash(t, state))

	t.Run("services", func(t *testing.T) {
		units := stack.Services(c)
		require.Len(t, units, 5)
		m.bash(t, `systemctl is-active "$@"; systemctl is-enabled "$@"; [[ -z $(systemctl --failed --plain --no-legend) ]]`, units...)
	})
	t.Run("PHP", func(t *testing.T) {
		extensions := m.bash(t, `php -m`)
		for _, name := range []string{"mysqli", "pgsql", "sqlite3", "redis", "curl", "gd", "mbstring", "xml", "zip", "bcmath", "intl", "readline"} {
			require.Contains(t, extensions, name+"\n")
		}
		m.bash(t, `composer --version --no-interaction; node --version; npm --version; [[ $(date +%Z) == CE* ]]`)
	})
	t.Run("SSH", func(t *testing.T) { testSSH(t, m) })
	t.Run("firewall", func(t *testing.T) { testFirewall(t, m) })
	t.Run("metadata", func(t *testing.T) { testMetadata(t, m) })
	t.Run("unknown host", func(t *testing.T) { testUnknownHost(t, m) })
	t.Run("users", func(t *testing.T) {
		require.Equal(t, "711 root root\n710 forge www-data\n", m.bash(t, `stat -c '%a %U %G' /home /home/forge`))
		require.Equal(t, "forge\n", m.bash(t, `id -nG forge`))
		m.fails(t, "forge", `sudo -n true`)
	})
	t.Run("linger", func(t *testing.T) { testLinger(t, m) })
	t.Run("logout", func(t *testing.T) { testLogout(t, m) })
	t.Run("run after a logout", func(t *testing.T) { testRunOutlivesLogout(t, m) })
	t.Run("database", func(t *testing.T) { testMariaDB(t, m) })
	t.Run("password", func(t *testing.T) { testPasswordUnseen(t, m) })
	t.Run("Redis", func(t *testing.T) { testRedis(t, m, c) })
}

// killInstall ends the unit of the run that dpkg is a part of, all at once.
const killInstall = `for process in /proc/[0-9]*; do
	[[ $(readlink "$process/exe" || true) == */dpkg ]] || continue
	unit=$(grep -o -m 1 '[^/]*\.service' "$process/cgroup")
	systemctl kill --signal=KILL "$unit"
	exit
done
exit 1`

func TestInstallPostgreSQL(t *testing.T) {
	t.Parallel()
	m := start(t)
	m.bash(t, recordClient, "psql")
	c := stack.Config{OS: image(), Database: stack.PostgreSQL}

	// A machine that is not what was asked for stays as it is.
	other := c
	other.OS = "ubuntu-24.04"
	before := m.bash(t, state)
	log, status := m.install(t, other)
	require.Equal(t, 1, status.ExitCode)
	require.Contains(t, log, "this machine runs "+image()+", not ubuntu-24.04\n")
	require.Equal(t, before, m.bash(t, state))

	// Configurations that do not work are put back, and the same run goes on
	// once the cause is gone.
	m.bash(t, `echo 'NoSuchOption yes' >/etc/ssh/sshd_config.d/zz-bad.conf`)
	log, status = m.install(t, c)
	require.Equal(t, 1, status.ExitCode)
	require.Regexp(t, `step \d+ of \d+ failed with exit status 1: SSH\n$`, log)
	m.bash(t, `[[ ! -e /etc/ssh/sshd_config.d/00-forge.conf ]]; rm /etc/ssh/sshd_config.d/zz-bad.conf; sshd -t`)

	m.bash(t, `install -d /etc/nginx/conf.d; echo 'no_such_directive;' >/etc/nginx/conf.d/zz-bad.conf`)
	log, status = m.install(t, c)
	require.NotZero(t, status.ExitCode)
	require.Regexp(t, `step \d+ of \d+ failed with exit status \d+: nginx\n$`, log)
	m.bash(t, `[[ ! -e /etc/nginx/conf.d/forge.conf ]]; rm /etc/nginx/conf.d/zz-bad.conf`)

	forwarded := forward(t, m, `ListenAddress 0.0.0.0:22
ListenAddress 0.0.0.0:2222`)
	m.mustInstall(t, c)
	require.Equal(t, []string{"22", "80", "443", "2222"}, m.openPorts(t), "not the forwarded %s", forwarded)
	before = m.bash(t, state)
	m.mustInstall(t, c)
	require.Equal(t, before, m.bash(t, state))
	m.bash(t, `[[ -z $(systemctl --failed --plain --no-legend) ]]`)

	login := `PGPASSFILE=$(mktemp); export PGPASSFILE; printf '*:*:*:forge:%s\n' "$1" >"$PGPASSFILE"; shift
		psql -X -w -At -h 127.0.0.1 -U forge postgres -c "$1"`
	require.Equal(t, "forge\n", m.bash(t, login, password, `SELECT current_user`))
	m.bash(t, login, password, `CREATE DATABASE app`)
	m.fails(t, "", login, "another-password", `SELECT 1`)
	m.fails(t, "", login, password, `SELECT pg_read_file('/etc/passwd')`)
	m.fails(t, "", login, password, `CREATE ROLE other SUPERUSER`)
	m.bash(t, `runuser -u postgres -- psql -X -c 'SELECT 1'`)
	testPasswordUnseen(t, m)
	testSudoLogin(t, m, c)
}

package stack_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/stack"
)

// forward configures sshd, and has a user who is logged in forward a port of the
// machine, which it returns.
func forward(t *testing.T, m *machine, config string) string {
	t.Helper()
	m.bash(t, `echo "$1" >/etc/ssh/sshd_config.d/zz-listen.conf; systemctl restart ssh`, config)
	client, err := ssh.Dial("tcp", m.box.Addr(), &ssh.ClientConfig{
		User:            "root",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(m.box.Signer)},
		HostKeyCallback: ssh.FixedHostKey(m.box.HostKey),
		Timeout:         10 * time.Second,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	listener, err := client.Listen("tcp", "127.0.0.1:8099")
	require.NoError(t, err)
	require.Contains(t, m.bash(t, `ss -Hltnp "sport = :8099"`), `"sshd"`)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// openPorts lists what the firewall lets in.
func (m *machine) openPorts(t *testing.T) []string {
	t.Helper()
	return strings.Fields(m.bash(t, `ufw show added | sed -nE 's/^ufw allow ([0-9]+)\/tcp$/\1/p' | sort -n`))
}

// testRedis shows that the password alone opens Redis, and that a new one is
// taken up.
func testRedis(t *testing.T, m *machine, c stack.Config) {
	m.bash(t, `grep -qF redis-cli /var/tmp/calls; rm /usr/local/sbin/redis-cli
		! grep -qF -- "$1" /var/tmp/calls`, redisPassword)

	const login = `REDISCLI_AUTH=$1 redis-cli "${@:2}"`
	locked := func(password string) {
		t.Helper()
		require.Contains(t, m.bash(t, `redis-cli PING; redis-cli GET kept`), "NOAUTH")
		require.Equal(t, "PONG\n", m.bash(t, login, password, "PING"))
		require.Equal(t, "redis:redis 640\n", m.bash(t, `stat -c '%U:%G %a' /etc/redis/redis.conf`))
		require.Equal(t, "redis.conf\n", m.bash(t, `ls /etc/redis`))
		m.fails(t, "forge", `cat /etc/redis/redis.conf`)
		m.bash(t, `! grep -rqF -- "$1" /var/log /run/forge /var/tmp /var/lib/forge; ! journalctl --no-pager | grep -qF -- "$1"`, password)
	}
	locked(redisPassword)
	m.bash(t, login, redisPassword, "SET", "kept", "yes")

	m.redis = "a-Newer-Passw0rd"
	require.NotContains(t, m.mustInstall(t, c), ": Redis\nalready done\n")
	locked(m.redis)
	require.Contains(t, m.bash(t, login, redisPassword, "PING"), "NOAUTH")
	require.Equal(t, "yes\n", m.bash(t, login, m.redis, "GET", "kept"))
	require.Contains(t, m.mustInstall(t, c), ": Redis\nalready done\n")

	before := m.bash(t, state)
	for value, says := range map[string]string{"": "redis_password is missing", "short": "the password in redis_password must be"} {
		m.redis = value
		log, status := m.install(t, c)
		require.Equal(t, 1, status.ExitCode)
		require.Contains(t, log, says)
	}
	require.Equal(t, before, m.bash(t, state))
}

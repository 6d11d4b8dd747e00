package stack_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func testSSH(t *testing.T, m *machine) {
	asked := errors.New("the server asked for a password")
	config := &ssh.ClientConfig{
		User:            "root",
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // nothing is sent
		Timeout:         10 * time.Second,
		Auth: []ssh.AuthMethod{
			ssh.PasswordCallback(func() (string, error) { return "", asked }),
			ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return nil, asked }),
		},
	}
	_, err := ssh.Dial("tcp", net.JoinHostPort(m.addr, "22"), config)
	require.Error(t, err)
	require.NotErrorIs(t, err, asked)

	require.Equal(t, m.key+"\n", m.bash(t, `cat /etc/ssh/authorized_keys.d/root`))
	require.Contains(t, m.bash(t, `sshd -T`), "\nauthorizedkeysfile /etc/ssh/authorized_keys.d/%u\n")
	// What a user writes into a home lets nobody in.
	m.bash(t, `install -d -o forge -m 0700 /home/forge/.ssh; install -o forge -m 0600 /root/.ssh/authorized_keys /home/forge/.ssh/`)
	m.fails(t, "forge", `echo key >/etc/ssh/authorized_keys.d/forge`)
}

// testSudoLogin installs for a login user with sudo, on a machine that somebody
// used before.
func testSudoLogin(t *testing.T, m *machine, c stack.Config) {
	const keys = "/etc/ssh/authorized_keys.d/admin"
	m.bash(t, `useradd --create-home admin; install -d -o admin /home/admin/.ssh; echo "$1" >/home/admin/.ssh/authorized_keys`, controlKey)
	c.LoginUser, c.KeepKeys = "admin", true
	m.mustInstall(t, c)
	require.Equal(t, m.key+"\n"+controlKey+"\n", m.bash(t, `cat "$1"`, keys))

	// A key that was revoked since does not come back, nor does a new control
	// key take the others away.
	m.bash(t, `printf '%s\nssh-ed25519 AAAA other\n' "$1" >"$2"`, m.key, keys)
	m.mustInstall(t, c)
	require.Equal(t, m.key+"\nssh-ed25519 AAAA other\n", m.bash(t, `cat "$1"`, keys))
	m.bash(t, `echo 'ssh-ed25519 AAAA other' >"$1"`, keys)
	m.mustInstall(t, c)
	require.Equal(t, m.key+"\nssh-ed25519 AAAA other\n", m.bash(t, `cat "$1"`, keys))

	// A link in the home leads nowhere that the user cannot read.
	m.bash(t, `rm "$1"; ln -sf /etc/shadow /home/admin/.ssh/authorized_keys`, keys)
	m.mustInstall(t, c)
	require.Equal(t, m.key+"\n", m.bash(t, `cat "$1"`, keys))
}

// listen accepts connections on a port, in the background.
const listen = `systemd-run --quiet --unit="listen-$1" perl -MIO::Socket::INET -e \
	'my $s = IO::Socket::INET->new(Listen => 5, LocalPort => $ARGV[0], ReuseAddr => 1) or die; while (my $c = $s->accept) { close $c }' "$1"
until ss -Hltn "sport = :$1" | grep -q .; do sleep 0.05; done`

func testFirewall(t *testing.T, m *machine) {
	m.bash(t, listen, "8080")
	m.bash(t, `exec 3<>/dev/tcp/127.0.0.1/8080`)
	for _, port := range []string{"8080", "3306", "6379"} {
		_, err := net.DialTimeout("tcp", net.JoinHostPort(m.addr, port), time.Second)
		require.Error(t, err, port)
	}
	require.Equal(t, `ufw allow 22/tcp
ufw allow 443/tcp
ufw allow 80/tcp
`, m.bash(t, `ufw show added | grep ^ufw | sort`))
	require.Equal(t, "3\n", m.bash(t, `ufw status | grep -c '(v6)'`))
	m.bash(t, `ip6tables -S INPUT | grep -qx -- '-P INPUT DROP'`)
}

func testMetadata(t *testing.T, m *machine) {
	m.bash(t, `ip address add 169.254.169.254/32 dev lo; ip address add fd00:ec2::254/128 dev lo nodad`)
	for _, addr := range []string{"169.254.169.254", "fd00:ec2::254"} {
		const connect = `exec 3<>"/dev/tcp/$1/80"`
		m.bash(t, connect, addr)
		require.Contains(t, m.fails(t, "forge", connect, addr), "Connection refused")
		require.Contains(t, m.fails(t, "www-data", connect, addr), "Connection refused")
	}
}

func testUnknownHost(t *testing.T, m *machine) {
	response, err := http.Get("http://" + m.addr + "/")
	if err == nil {
		_ = response.Body.Close()
	}
	require.ErrorIs(t, err, io.EOF)
	_, err = tls.Dial("tcp", net.JoinHostPort(m.addr, "443"), &tls.Config{ServerName: "unknown.example"})
	require.ErrorContains(t, err, "unrecognized name")
	require.Contains(t, m.bash(t, `nginx -T 2>/dev/null`), "server_tokens off;")
}

func testMariaDB(t *testing.T, m *machine) {
	login := `conf=$(mktemp); printf '[client]\nuser=forge\nhost=%s\npassword=%s\n' "$1" "$2" >"$conf"
		mariadb --defaults-extra-file="$conf" --skip-column-names --execute="$3"`
	for _, host := range []string{"localhost", "127.0.0.1"} {
		m.bash(t, login, host, password, "CREATE DATABASE IF NOT EXISTS app; CREATE TABLE IF NOT EXISTS app.t (a INT); INSERT INTO app.t VALUES (1); DROP TABLE app.t")
		m.fails(t, "", login, host, "another-password", "SELECT 1")
		for _, statement := range []string{
			"SELECT * FROM mysql.global_priv",
			"UPDATE mysql.global_priv SET Host = '%'",
			"DROP DATABASE mysql",
			"GRANT ALL ON mysql.* TO forge@localhost",
			"CREATE USER other@localhost",
			"SELECT 1 INTO OUTFILE '/tmp/forge-outfile'",
			"SET GLOBAL general_log = 1",
		} {
			require.Contains(t, m.fails(t, "", login, host, password, statement), "denied", statement)
		}
	}
	require.Equal(t, "1\n", m.bash(t, `mariadb --skip-column-names --execute='SELECT 1'`), "root stays on its socket")
	m.fails(t, "forge", `mariadb --user=root --execute='SELECT 1'`)
}

// testPasswordUnseen looks where a password could have been left, and at every
// call of the client during the install.
func testPasswordUnseen(t *testing.T, m *machine) {
	calls, err := m.Run(t.Context(), sshexec.Command{Script: `cat /var/tmp/calls`})
	require.NoError(t, err)
	require.NotEmpty(t, calls.Stdout)
	m.bash(t, `! grep -rqF -- "$1" /var/log /etc /run/forge /var/tmp /var/lib/forge; ! journalctl --no-pager | grep -qF -- "$1"`, password)
}

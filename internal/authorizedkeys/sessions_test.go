package authorizedkeys_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// live is a session of a user's, in which a sleep runs and another one was started
// to outlive it.
type live struct {
	client *sshexec.Client
	ended  chan error
	marks  [2]string // how long they sleep, by which they are found
}

func open(t *testing.T, srv *servertest.Server, user string, key pair) *live {
	t.Helper()
	return openAt(t, srv, srv.Addr(), user, key)
}

func openAt(t *testing.T, srv *servertest.Server, addr, user string, key pair) *live {
	t.Helper()
	target := srv.Target()
	target.Addr, target.User, target.Signers = addr, user, []ssh.Signer{key.signer}
	client, err := sshexec.Dial(t.Context(), target)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	s := &live{client: client, ended: make(chan error, 1)}
	id := key.fingerprint[len(key.fingerprint)-8:]
	for i, kind := range []string{"held", "left"} {
		s.marks[i] = kind + strings.NewReplacer("+", "-", "/", "-").Replace(id)
	}
	said, says := io.Pipe()
	go func() {
		_, err := client.Run(context.WithoutCancel(t.Context()), sshexec.Command{
			User: user, Stdout: says, Args: s.marks[:],
			Script: `nohup bash -c 'trap "" HUP; exec -a "$1" sleep 3000' x "$2" >/dev/null 2>&1 </dev/null & echo ready; bash -c 'exec -a "$1" sleep 3000' x "$1"`,
		})
		_ = says.Close()
		s.ended <- err
	}()
	buffer := make([]byte, len("ready\n"))
	_, err = io.ReadFull(said, buffer)
	require.NoError(t, err)
	return s
}

// runs reports which of the two sleeps live.
func (s *live) runs(t *testing.T, srv *servertest.Server) (held, left bool) {
	t.Helper()
	out := srv.Bash(t, `for mark; do if pgrep -f "^$mark 3000" >/dev/null; then echo yes; else echo no; fi; done`, s.marks[:]...)
	lines := strings.Fields(out)
	return lines[0] == "yes", lines[1] == "yes"
}

func end(t *testing.T, srv *servertest.Server, user string, keys ...string) (int, error) {
	t.Helper()
	cmd, err := authorizedkeys.Sessions{User: user, Fingerprints: keys}.Command()
	require.NoError(t, err)
	out, runErr := srv.Run(t, cmd)
	n, err := authorizedkeys.Ended([]byte(out))
	require.NoError(t, err, runErr)
	return n, authorizedkeys.Explain(runErr)
}

func TestSessions(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "guest")
	revoked, other := newPair(t), newPair(t)
	srv.Bash(t, `install -d -o guest /home/guest/.ssh; printf '%s\n' "$@" >/home/guest/.ssh/authorized_keys`, revoked.line, other.line)
	stays := open(t, srv, "guest", other)
	requireStays := func(t *testing.T) {
		t.Helper()
		held, left := stays.runs(t, srv)
		require.True(t, held && left, "the session of another key")
	}
	requireEnded := func(t *testing.T, s *live) {
		t.Helper()
		require.Error(t, <-s.ended)
		held, left := s.runs(t, srv)
		require.False(t, held || left)
		requireStays(t)
	}

	t.Run("in a scope", func(t *testing.T) {
		s := open(t, srv, "guest", revoked)
		n, err := end(t, srv, "guest", newPair(t).fingerprint)
		require.NoError(t, err)
		require.Zero(t, n)
		held, left := s.runs(t, srv)
		require.True(t, held && left)
		n, err = end(t, srv, "guest", newPair(t).fingerprint, revoked.fingerprint)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		requireEnded(t, s)
		n, err = end(t, srv, "guest", revoked.fingerprint)
		require.NoError(t, err)
		require.Zero(t, n, "again")
	})

	t.Run("another user", func(t *testing.T) {
		n, err := end(t, srv, "guest", ssh.FingerprintSHA256(srv.Signer.PublicKey()))
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = end(t, srv, "nobody-here", other.fingerprint)
		require.NoError(t, err)
		require.Zero(t, n)
		requireStays(t)
	})

	t.Run("the own connection", func(t *testing.T) {
		second := srv.SSH(t)
		_, err := second.Run(t.Context(), sshexec.Command{Script: "true"})
		require.NoError(t, err)
		n, err := end(t, srv, "root", ssh.FingerprintSHA256(srv.Signer.PublicKey()))
		require.NoError(t, err)
		require.NotZero(t, n)
		_, err = second.Run(t.Context(), sshexec.Command{Script: "true"})
		require.Error(t, err)
		requireStays(t)
	})

	t.Run("a user's process with the name of one of sshd's", func(t *testing.T) {
		pid := strings.TrimSpace(srv.BashAs(t, "guest", `
			perl -e '$0 = "sshd: guest\@pts/9"; open my $name, ">", "/proc/self/comm"; print $name "sshd"; close $name; sleep 60' >/dev/null 2>&1 </dev/null &
			until [[ $(</proc/$!/comm) == sshd ]]; do :; done
			echo "$!"`))
		n, err := end(t, srv, "guest", revoked.fingerprint)
		require.NoError(t, err)
		require.Zero(t, n)
		srv.Bash(t, `kill "$1"`, pid)
	})

	// Without PAM there is no logind.
	srv.Bash(t, `echo 'UsePAM no' >/etc/ssh/sshd_config.d/00-no-pam.conf; usermod -p '*' guest; systemctl restart ssh`)
	t.Run("without a scope", func(t *testing.T) {
		s := open(t, srv, "guest", revoked)
		n, err := end(t, srv, "guest", revoked.fingerprint)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		requireEnded(t, s)
	})

	t.Run("of an sshd that was started in a session itself", func(t *testing.T) {
		srv.Bash(t, `grep -q '/session-[0-9]*.scope$' /proc/self/cgroup; /usr/sbin/sshd -p 2222 -o PidFile=/run/second-sshd.pid </dev/null >/dev/null 2>&1
			until (: >/dev/tcp/127.0.0.1/2222) 2>/dev/null; do :; done`)
		s := openAt(t, srv, net.JoinHostPort(srv.Address, "2222"), "guest", revoked)
		n, err := end(t, srv, "guest", revoked.fingerprint)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		requireEnded(t, s)
		srv.Bash(t, `kill "$(</run/second-sshd.pid)"`) // in the session that it was started in, which lives
	})

	t.Run("without a log", func(t *testing.T) {
		s := open(t, srv, "guest", revoked)
		srv.Bash(t, `journalctl --sync; journalctl -q --rotate; rm -rf /run/log/journal/*/* /var/log/journal/*/*; systemctl restart systemd-journald`)
		n, err := end(t, srv, "guest", revoked.fingerprint)
		require.ErrorIs(t, err, authorizedkeys.ErrNoLog)
		require.Zero(t, n)
		held, left := s.runs(t, srv)
		require.True(t, held && left)

		// What is logged of an earlier process of that number is none of this one's.
		srv.Bash(t, `cat >/usr/local/bin/journalctl <<'END'
#!/bin/bash
for argument; do
	if [[ $argument == _PID=* ]]; then
		echo "[    0.000001] machine sshd[${argument#_PID=}]: Accepted publickey for guest from 10.0.0.1 port 1 ssh2: ED25519 $(</run/fingerprint)"
	fi
done
END
			chmod +x /usr/local/bin/journalctl; echo "$1" >/run/fingerprint`, revoked.fingerprint)
		n, err = end(t, srv, "guest", revoked.fingerprint)
		require.ErrorIs(t, err, authorizedkeys.ErrNoLog)
		require.Zero(t, n)
		srv.Bash(t, `rm /usr/local/bin/journalctl`)

		const old = `date -d yesterday +"%FT%T%:z machine sshd[$(pgrep -f '^sshd: guest \[priv\]' --newest)]: Accepted publickey for guest from 10.0.0.1 port 1 ssh2: ED25519 $1" >>/var/log/auth.log`
		srv.Bash(t, old, revoked.fingerprint)
		n, err = end(t, srv, "guest", revoked.fingerprint)
		require.ErrorIs(t, err, authorizedkeys.ErrNoLog)
		require.Zero(t, n)

		const log = `pid=$(pgrep -f '^sshd: guest \[priv\]' --newest)
			date +"$2 machine sshd[$pid]: Accepted publickey for guest from 10.0.0.1 port 1 ssh2: ED25519 $1" >>/var/log/auth.log`
		srv.Bash(t, log, revoked.fingerprint, "%b %e %H:%M:%S")
		_, err = end(t, srv, "guest", other.fingerprint)
		require.ErrorIs(t, err, authorizedkeys.ErrNoLog, "of the other session")
		srv.Bash(t, log, other.fingerprint, "%FT%T.123456%:z")
		n, err = end(t, srv, "guest", revoked.fingerprint)
		require.ErrorIs(t, err, authorizedkeys.ErrNoLog, "two lines with two keys")
		require.Zero(t, n)
		srv.Bash(t, `sed -i '$d' /var/log/auth.log`)
		n, err = end(t, srv, "guest", revoked.fingerprint)
		require.ErrorIs(t, err, authorizedkeys.ErrNoLog, "of the other session")
		require.Equal(t, 1, n)
		requireEnded(t, s)
	})
}

func TestSessionsRefuses(t *testing.T) {
	t.Parallel()
	f := "SHA256:" + strings.Repeat("a", 43)
	for _, s := range []authorizedkeys.Sessions{{}, {User: "x"}, {User: "-x", Fingerprints: []string{f}}, {User: "x", Fingerprints: []string{f, "MD5:00"}}} {
		_, err := s.Command()
		require.Error(t, err)
	}
	for _, answer := range []string{"", "ended", "ended x\n", "ended -1\n", "1\n"} {
		_, err := authorizedkeys.Ended([]byte(answer))
		require.Error(t, err, answer)
	}
}

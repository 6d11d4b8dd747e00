package authorizedkeys_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/sshexec"
)

type pair struct {
	line        string // public half, as kind and base64
	fingerprint string
	private     string
	signer      ssh.Signer
}

func newPair(t testing.TB) pair {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return pair{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), ssh.FingerprintSHA256(key), string(pem.EncodeToMemory(block)), signer}
}

func newUser(t *testing.T, srv *servertest.Server, name string) {
	t.Helper()
	srv.Bash(t, `useradd -m -s /bin/bash -- "$1"`, name)
	t.Cleanup(func() {
		srv.Bash(t, `userdel -rf -- "$1" 2>/dev/null || true; rm -f -- "/etc/ssh/authorized_keys.d/$1"`, name)
	})
}

// apply makes the change and reports whether the server says that it changed
// something.
func apply(t *testing.T, srv *servertest.Server, c authorizedkeys.Change) bool {
	t.Helper()
	cmd, err := c.Command()
	require.NoError(t, err)
	cmd.Fence = sshexec.Fence{Key: "keys", Epoch: 1}
	out, err := srv.Run(t, cmd)
	require.NoError(t, err)
	o := outcome(t, out)
	require.NoError(t, o.Err)
	return o.Changed()
}

func TestLinesOfOthersStay(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "keeper")
	ours, second, theirs := newPair(t), newPair(t), newPair(t)
	blob := strings.Fields(ours.line)[1]
	many := strings.Repeat("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl someone\n", 10_000)

	const home = "/home/keeper/.ssh/authorized_keys"
	for place, file := range map[bool]string{false: "/etc/ssh/authorized_keys.d/keeper", true: home} {
		for _, test := range []struct{ name, before, removed string }{
			{"none", "", ""},
			{"plain", theirs.line + " they\n", ""},
			{"no newline at the end", theirs.line + " they", ""},
			{"CRLF", theirs.line + " they\r\n\r\n# text\r\n", ""},
			{"comment with the key", "# " + ours.line + "\n", ""},
			{"options with the key", `command="echo ` + ours.line + ` x",no-pty ` + theirs.line + "\n", ""},
			{"options with quotes", `environment="A=\"b c" ` + theirs.line + "\n", ""},
			{"comment is the key", theirs.line + " " + ours.line + "\n", ""},
			{"nonsense", "\x01\xff\xfe nonsense \x7f\n\t\n   \n" + blob + "\n", ""},
			{"10,000 lines", many, ""},
			{"10,000 lines without the last newline", strings.TrimSuffix(many, "\n"), ""},
		} {
			t.Run(fmt.Sprintf("home %v, %s", place, test.name), func(t *testing.T) {
				srv.Bash(t, `mkdir -p -m 0755 "${1%/*}"; rm -f "$1"; if [[ $1 == /home/* ]]; then chown keeper: "${1%/*}"; fi`, file)
				if test.before != "" {
					write(t, srv, file, test.before)
				}
				change := authorizedkeys.Change{User: "keeper", Home: place, Add: []authorizedkeys.Key{{ID: "k1", Line: ours.line + " comment of the user's"}, {ID: "k2", Line: second.line}}}
				require.True(t, apply(t, srv, change))
				separator := ""
				if test.before != "" && !strings.HasSuffix(test.before, "\n") {
					separator = "\n"
				}
				require.Equal(t, test.before+separator+ours.line+" forge:k1\n"+second.line+" forge:k2\n", read(t, srv, file))
				require.False(t, apply(t, srv, change), "again")

				change = authorizedkeys.Change{User: "keeper", Home: place, Remove: []string{ours.line, second.line}}
				require.True(t, apply(t, srv, change))
				require.Equal(t, test.before+separator, read(t, srv, file))
				require.False(t, apply(t, srv, change), "again")
			})
		}
	}
	require.Equal(t, "keeper 600\nkeeper 755\n", srv.Bash(t, `stat -c '%U %a' "$1" "${1%/*}"`, home))
	require.Equal(t, "root 644\nroot 755\nroot 600\n", srv.Bash(t, `cd /etc/ssh/authorized_keys.d; stat -c '%U %a' keeper . .lock`))
	require.Empty(t, srv.Bash(t, `ls -A /etc/ssh/authorized_keys.d /home/keeper/.ssh | grep -vx 'keeper\|authorized_keys\|root\|.lock\|.*:\|' || true`), "nothing is left beside")
}

func write(t *testing.T, srv *servertest.Server, file, content string) {
	t.Helper()
	require.NoError(t, srv.Put(t, file, content))
	srv.Bash(t, `if [[ $1 == /home/* ]]; then chown keeper: "$1"; fi`, file)
}

func read(t *testing.T, srv *servertest.Server, file string) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, srv.Get(t, file, &b))
	return b.String()
}

func TestRemoveByTheKeyItself(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "remover")
	ours, theirs := newPair(t), newPair(t)
	const file = "/etc/ssh/authorized_keys.d/remover"
	srv.Bash(t, `mkdir -p "${1%/*}"`, file)
	require.NoError(t, srv.Put(t, file, strings.Join([]string{
		theirs.line + " a",
		ours.line,
		"  " + ours.line + " another name",
		`from="10.0.0.*",command="say \"hi there\"" ` + ours.line + " b\r",
		theirs.line + " last",
	}, "\n")))
	require.True(t, apply(t, srv, authorizedkeys.Change{User: "remover", Remove: []string{ours.line}}))
	require.Equal(t, theirs.line+" a\n"+theirs.line+" last", read(t, srv, file))
}

func TestReplaceInOneChange(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "turner")
	old, fresh := newPair(t), newPair(t)
	require.True(t, apply(t, srv, authorizedkeys.Change{User: "turner", Add: []authorizedkeys.Key{{ID: "a", Line: old.line}}}))
	require.True(t, apply(t, srv, authorizedkeys.Change{User: "turner", Remove: []string{old.line}, Add: []authorizedkeys.Key{{ID: "b", Line: fresh.line}}}))
	require.Equal(t, fresh.line+" forge:b\n", read(t, srv, "/etc/ssh/authorized_keys.d/turner"))
	require.False(t, apply(t, srv, authorizedkeys.Change{User: "turner"}))
}

func TestUnknownUser(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	for _, home := range []bool{false, true} {
		cmd, err := authorizedkeys.Change{User: "nobody-here", Home: home, Add: []authorizedkeys.Key{{ID: "a", Line: newPair(t).line}}}.Command()
		require.NoError(t, err)
		_, err = srv.Run(t, cmd)
		require.ErrorIs(t, authorizedkeys.Explain(err), authorizedkeys.ErrNoUser)
	}
	srv.Bash(t, `! test -e /etc/ssh/authorized_keys.d/nobody-here`)
}

// With sshd reading root's files alone, a user who keeps the revoked key in
// every place that is the user's own is not let in by it.
func TestRevokeCannotBeUndone(t *testing.T) {
	t.Parallel()
	srv := servertest.Start(t)
	newUser(t, srv, "clinger")
	key := newPair(t)
	srv.Bash(t, `echo 'AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u /root/.ssh/authorized_keys' >/etc/ssh/sshd_config.d/00-forge-test.conf; sshd -t; systemctl reload ssh`)
	t.Cleanup(func() { srv.Bash(t, `rm /etc/ssh/sshd_config.d/00-forge-test.conf; systemctl reload ssh`) })
	require.NoError(t, srv.Put(t, "/root/clinger-key", key.private))
	t.Cleanup(func() { srv.Bash(t, `rm /root/clinger-key`) })
	login := func() string {
		return srv.Bash(t, `chmod 600 /root/clinger-key; ssh -F /dev/null -i /root/clinger-key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no \
			-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR clinger@127.0.0.1 id -un 2>&1 || true`)
	}
	require.Contains(t, login(), "Permission denied")
	apply(t, srv, authorizedkeys.Change{User: "clinger", Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}})
	require.Equal(t, "clinger\n", login())

	srv.BashAs(t, "clinger", `mkdir -p ~/.ssh; echo "$1" >~/.ssh/authorized_keys; cp ~/.ssh/authorized_keys ~/.ssh/authorized_keys2
		! echo "$1" >>/etc/ssh/authorized_keys.d/clinger
		! rm -f /etc/ssh/authorized_keys.d/clinger
		! flock --nonblock /etc/ssh/authorized_keys.d/.lock true
		exec 8</etc/ssh/authorized_keys.d; flock 8; exec 7</etc/ssh/authorized_keys.d/clinger; flock 7
		setsid sleep 60 >/dev/null 2>&1 </dev/null & echo $! >~/pid`, key.line) // holds what it can lock
	require.True(t, apply(t, srv, authorizedkeys.Change{User: "clinger", Remove: []string{key.line}}))
	require.Contains(t, login(), "Permission denied")
	srv.BashAs(t, "clinger", `kill "$(<~/pid)"`)
}

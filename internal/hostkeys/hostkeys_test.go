package hostkeys_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/hostkeys"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/sshexec"
)

const given = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

func TestScript(t *testing.T) {
	t.Parallel()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(given + " a comment"))
	require.NoError(t, err)
	cmd := hostkeys.Make(key)
	require.Equal(t, []string{"make", given}, cmd.Args)
	servertest.Shellcheck(t, cmd.Script)
	require.Equal(t, []string{"use", given}, hostkeys.Use(key).Args)
}

func TestMade(t *testing.T) {
	t.Parallel()
	key, err := hostkeys.Made([]byte(given + "\n"))
	require.NoError(t, err)
	require.Equal(t, ssh.KeyAlgoED25519, key.Type())
	for _, answer := range []string{
		"", "\n", "no key\n", given + "\n" + given + "\n", `command="true" ` + given,
		"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMnOWvjPSTCnEyuLjRh1ujMNtFaeSbfZVwDQdhvStw1k8qSc6DHGaYVYsZMYXRAXwvo5ZpnI0UJcaBOUZcFDbLc=",
	} {
		_, err := hostkeys.Made([]byte(answer))
		require.Error(t, err, answer)
	}
}

// server is a machine on which both commands run.
type server struct {
	*testmachine.Machine
	t *testing.T
}

func (s server) make() ssh.PublicKey {
	s.t.Helper()
	result, err := s.Run(s.t.Context(), hostkeys.Make(s.HostKey))
	require.NoError(s.t, err)
	key, err := hostkeys.Made(result.Stdout)
	require.NoError(s.t, err)
	require.NotEqual(s.t, s.HostKey.Marshal(), key.Marshal())
	return key
}

func (s server) use(key ssh.PublicKey) {
	s.t.Helper()
	_, err := s.Run(s.t.Context(), hostkeys.Use(key))
	require.NoError(s.t, err)
}

// shows connects anew: the machine shows this key. While sshd reloads, it lets
// nobody in.
func (s server) shows(key ssh.PublicKey) {
	s.t.Helper()
	target := s.Target()
	target.HostKeys = sshexec.Pinned(key)
	require.Eventually(s.t, func() bool {
		client, err := sshexec.Dial(s.t.Context(), target)
		var other *sshexec.HostKeyError
		require.False(s.t, errors.As(err, &other), "%v", err)
		if err == nil {
			require.NoError(s.t, client.Close())
		}
		return err == nil
	}, 10*time.Second, 50*time.Millisecond)
}

// The machine stops, or is cut off, after each thing that a command does.
func TestBrokenOffAnywhere(t *testing.T) {
	t.Parallel()
	s := server{testmachine.New(t), t}
	s.Must(t, `ssh-keygen -q -t rsa -N '' -f /etc/ssh/ssh_host_rsa_key; ssh-keygen -q -t ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key`)

	s.Must(t, `head -c 100 </etc/ssh/ssh_host_ed25519_key >/etc/ssh/ssh_host_ed25519_key.forge-new`)
	key := s.make()
	require.Equal(t, key, s.make(), "it is made once")
	s.shows(s.HostKey)
	s.Reboot(t)
	require.Equal(t, key, s.make(), "also after a reboot")
	s.shows(s.HostKey)

	// Moved, and no more than that.
	old := s.SSH(t)
	s.Must(t, `mv /etc/ssh/ssh_host_ed25519_key.forge-new /etc/ssh/ssh_host_ed25519_key`)
	require.Equal(t, key, s.make())
	s.use(key)
	s.shows(key)
	_, err := old.Run(t.Context(), sshexec.Command{Script: "true"})
	require.NoError(t, err, "who is connected stays so")

	// Done, and asked for again.
	before := s.Must(t, `cat /etc/ssh/ssh_host_*`)
	require.Equal(t, key, s.make())
	s.use(key)
	require.Equal(t, before, s.Must(t, `cat /etc/ssh/ssh_host_*`))
	require.Equal(t, "600 root:root /etc/ssh/ssh_host_ed25519_key\n644 root:root /etc/ssh/ssh_host_ed25519_key.pub\n",
		s.Must(t, `stat -c '%a %U:%G %n' /etc/ssh/ssh_host_*`), "and nothing else")
	require.Contains(t, string(ssh.MarshalAuthorizedKey(key)), s.Must(t, `printf %s "$(cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub)"`))

	// Another key than the one that forge knows is put nowhere.
	_, err = s.Run(t.Context(), hostkeys.Use(s.HostKey))
	require.ErrorContains(t, err, "the new host key is not there any more")
	s.shows(key)

	s.HostKey = key
	s.Reboot(t)
	s.shows(key)
}

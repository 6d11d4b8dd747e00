package e2e

import (
	"encoding/base64"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/middleman"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// A man in the middle stands before a machine when it first boots, and later one who
// has read its user data.
func TestManInTheMiddle(t *testing.T) {
	t.Parallel()
	p := newMachines(t)
	n := newNewcomer(t, p)
	middle := middleman.New(t, nil)
	p.way.Store(&middle.Addr)
	action := n.create(t)
	failed := n.fails(t, action.ID)
	require.Equal(t, forge.ReasonHostKey, failed.Failure.Reason)
	require.Contains(t, failed.Failure.Message, ssh.FingerprintSHA256(middle.Key.PublicKey()))
	require.Positive(t, middle.Calls())
	require.Empty(t, middle.Seen(), "nobody logged in")
	require.Less(t, len(middle.Sent()), 4<<10, "no more than a key exchange begins with")
	n.machine.Inside(t, `until systemctl is-active --quiet ssh; do sleep 0.1; done
[[ $(journalctl --no-pager --unit=ssh) != *Accepted* ]]
[[ ! -e /var/lib/forge && ! -e /run/forge ]]`)

	p.way.Store(nil)
	action, err := n.Servers.Retry(t.Context(), n.server.ID)
	n.finish(t, action, err)
	n.renewed(t)
	private := strings.Split(string(n.given), "\n")[3] // of the lines, one that is its own
	n.machine.Inside(t, `! grep -rqF -e "$1" /etc /root /run /tmp /var`, private)
}

// newcomer is a server that is made with a host key that others may read.
type newcomer struct {
	*embedder
	server  *forge.Server
	given   []byte
	machine *testmachine.Machine
}

func newNewcomer(t *testing.T, p *machines) *newcomer {
	t.Helper()
	n := &newcomer{}
	p.spoil = func(m *provider.Machine) error {
		n.machine = testmachine.Of(m)
		return nil
	}
	var err error
	n.embedder, err = start(p, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.close()) })
	return n
}

func (n *newcomer) create(t *testing.T) *forge.Action {
	t.Helper()
	srv, action, err := n.Servers.Create(t.Context(), forge.ServerOpts{
		Name: "newcomer", Provider: "local", Image: testmachine.Image(), Labels: testmachine.Labels(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.remove(srv.ID)) })
	given, err := n.sealer.Open(t.Context(), srv.InjectedHostKey, "servers/"+srv.ID+"/host_key")
	require.NoError(t, err)
	n.server, n.given = srv, []byte(given.Reveal())
	return action
}

// renewed shows that nothing accepts the given key any more: not the record, not
// forge, and not the machine, which shows another one, and that alone.
func (n *newcomer) renewed(t *testing.T) {
	t.Helper()
	given, err := ssh.ParsePrivateKey(n.given)
	require.NoError(t, err)
	srv, err := n.Servers.Get(t.Context(), n.server.ID)
	require.NoError(t, err)
	require.Empty(t, srv.InjectedHostKey)
	require.Len(t, srv.HostKeys, 1)
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(srv.HostKeys[0]))
	require.NoError(t, err)
	require.NotEqual(t, given.PublicKey().Marshal(), key.Marshal())

	// The stack's packages may have made keys of other kinds.
	blob := base64.StdEncoding.EncodeToString(given.PublicKey().Marshal())
	n.machine.Inside(t, `[[ $(ssh-keygen -y -f /etc/ssh/ssh_host_ed25519_key) == "$1"* ]]
for key in /etc/ssh/ssh_host_*_key; do [[ $(ssh-keygen -y -f "$key") != *"$2"* ]]; done
! grep -rqF -e "$2" /etc`, srv.HostKeys[0], blob)
	target := sshexec.Target{Addr: net.JoinHostPort(srv.Address, strconv.Itoa(srv.Port)), User: "root", HostKeys: sshexec.Pinned(given.PublicKey())}
	_, err = sshexec.Dial(t.Context(), target)
	var other *sshexec.HostKeyError
	require.ErrorAs(t, err, &other)
	require.Equal(t, ssh.FingerprintSHA256(key), other.Got)

	middle := middleman.New(t, given)
	n.machines.way.Store(&middle.Addr)
	require.Positive(t, n.machines.cut())
	ask := func() error {
		_, err := n.Servers.Run(t.Context(), srv.ID, forge.RunOpts{User: "root", Script: "echo secret"})
		return err
	}
	err = ask()
	if !errors.As(err, &other) { // it joined a dial to the machine that was under way, and cut
		err = ask()
	}
	require.ErrorAs(t, err, &other)
	require.Equal(t, ssh.FingerprintSHA256(given.PublicKey()), other.Got)
	require.Positive(t, middle.Calls())
	require.Empty(t, middle.Seen())
	n.machines.way.Store(nil)
	require.Equal(t, "in\n", n.bash(t, srv, "echo in"))
}

package forge_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/hostkeys/hostkeystest"
	"github.com/seed-797f2c2c/forge/internal/middleman"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// newcomer is a world whose cloud gives a machine its host key, and where the way to
// the machine may lead to somebody else.
type newcomer struct {
	*world
	ssh      *sshtest.Server
	way      atomic.Pointer[string]                  // who answers instead of the machine
	command  func(*sshtest.Exec, func() int) int     // around each attached command; may be nil
	stack    func(context.Context, *sshtest.Run) int // what the install of the stack does; may be nil
	commands atomic.Int32
	runs     atomic.Int32

	mu    sync.Mutex
	given ssh.Signer
	keys  *hostkeystest.Machine
}

func newNewcomer(t *testing.T) *newcomer {
	n := &newcomer{}
	n.world = newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{
		Properties: provider.Properties{InjectsHostKey: true}, Dial: n.dial,
	})
	n.ssh = sshtest.New(t, &sshtest.Options{AnyKey: true, Handler: n.handle, Run: func(ctx context.Context, run *sshtest.Run) int {
		n.runs.Add(1)
		if n.stack != nil {
			return n.stack(ctx, run)
		}
		return 0
	}})
	return n
}

func (n *newcomer) dial(ctx context.Context, spec provider.Spec) (net.Conn, error) {
	n.mu.Lock()
	if n.keys == nil {
		var err error
		n.given, err = ssh.ParsePrivateKey(spec.HostKey)
		require.NoError(n.t, err)
		n.keys = hostkeystest.New(n.given, func(key ssh.Signer) { n.ssh.Set(sshtest.Faults{HostKey: key}) })
	}
	n.mu.Unlock()
	addr := n.ssh.Addr
	if other := n.way.Load(); other != nil {
		addr = *other
	}
	return new(net.Dialer).DialContext(ctx, "tcp", addr)
}

func (n *newcomer) handle(_ context.Context, e *sshtest.Exec) int {
	n.commands.Add(1)
	do := func() int {
		code, _ := n.keys.Answer(e)
		return code
	}
	if n.command != nil {
		return n.command(e, do)
	}
	return do()
}

// said is the log of the install.
func (n *newcomer) said(srv *forge.Server) string {
	n.t.Helper()
	var log strings.Builder
	for a, err := range n.Actions.All(n.t.Context(), forge.ActionFilter{Server: srv.ID, Kind: forge.KindInstallStack}) {
		require.NoError(n.t, err)
		for line, err := range n.Actions.Log(n.t.Context(), a.ID, 0, 0) {
			require.NoError(n.t, err)
			log.WriteString(line.Text + "\n")
		}
	}
	return log.String()
}

// renewed is the server when its own key alone is known, and the given one by nobody.
func (n *newcomer) renewed(id string) {
	n.t.Helper()
	srv := n.read(id)
	require.Equal(n.t, forge.ServerActive, srv.Status)
	require.Empty(n.t, srv.InjectedHostKey)
	require.Equal(n.t, []string{authorizedLine(n.keys.Shown())}, srv.HostKeys)
	require.NotEqual(n.t, authorizedLine(n.given), srv.HostKeys[0])
	require.Equal(n.t, 1, n.keys.Made())
}

func authorizedLine(key ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
}

// asks has another process, which has no connection yet, ask the server something.
func (n *newcomer) asks(id string) error {
	_, err := n.join(n.store, queuememory.New(queuememory.Config{})).Servers.Run(n.t.Context(), id, forge.RunOpts{Script: "true", User: "root"})
	return err
}

func TestGivenHostKeyIsReplacedOnce(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	failing := int32(2)
	n.stack = func(context.Context, *sshtest.Run) int { failing--; return int(max(failing, 0)) }
	t.Cleanup(n.start())
	srv, a := n.create()
	_, err := n.Actions.Wait(t.Context(), a.ID)
	require.ErrorContains(t, err, "exit status 1")
	again, err := n.Servers.Retry(t.Context(), srv.ID)
	require.NoError(t, err)
	_, err = n.Actions.Wait(t.Context(), again.ID)
	require.NoError(t, err)
	n.renewed(srv.ID)
	require.Equal(t, 1, strings.Count(n.said(srv), "the machine has a new host key now: "+ssh.FingerprintSHA256(n.keys.Shown().PublicKey())))
	require.NoError(t, n.asks(srv.ID))

	// Whoever has the user data, and stands in between, gets nothing.
	for name, key := range map[string]ssh.Signer{"the given key": n.given, "a key of his own": nil} {
		middle := middleman.New(t, key)
		n.way.Store(&middle.Addr)
		err := n.asks(srv.ID)
		var changed *sshexec.HostKeyError
		require.ErrorAs(t, err, &changed, name)
		require.Equal(t, ssh.FingerprintSHA256(middle.Key.PublicKey()), changed.Got)
		require.Equal(t, 1, middle.Calls())
		require.Empty(t, middle.Seen(), name)
	}
}

// The connection is cut, or the worker dies, before and after each command of the
// first contact.
func TestFirstContactBrokenOffAnywhere(t *testing.T) {
	t.Parallel()
	const commands = 4 // look, make, use, and see
	for at := range commands {
		for _, after := range []bool{false, true} {
			for _, dies := range []bool{false, true} {
				name := strings.Join([]string{[]string{"look", "make", "use", "see"}[at],
					map[bool]string{false: "before", true: "after"}[after], map[bool]string{false: "cut", true: "dead"}[dies]}, " ")
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					brokenOff(t, int32(at)+1, after, dies)
				})
			}
		}
	}
}

func brokenOff(t *testing.T, at int32, after, dies bool) {
	n := newNewcomer(t)
	n.lease = time.Second
	dying := &mutableStore{Store: n.store}
	first := n.join(dying, queuememory.New(queuememory.Config{}))
	disturb := func() {
		if n.commands.Load() != at {
			return
		}
		dying.broken.Store(dies)
		n.ssh.CloseConns()
	}
	n.command = func(_ *sshtest.Exec, do func() int) int {
		if after {
			defer disturb()
			return do()
		}
		disturb()
		if n.commands.Load() == at {
			return 1 // and nobody hears it
		}
		return do()
	}
	t.Cleanup(first.start())
	srv, a := n.create()
	if dies {
		require.Eventually(t, dying.broken.Load, time.Minute, 10*time.Millisecond)
	}
	next := n.join(n.store, queuememory.New(queuememory.Config{}))
	t.Cleanup(next.start())
	_, err := next.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	n.renewed(srv.ID)
	require.EqualValues(t, 1, n.runs.Load())
}

// A man in the middle at the first contact is not told so much as who calls.
func TestManInTheMiddleOfTheFirstContact(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	middle := middleman.New(t, nil)
	n.way.Store(&middle.Addr)
	t.Cleanup(n.start())
	srv, a := n.create()
	failed, err := n.Actions.Wait(t.Context(), a.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Equal(t, forge.ReasonHostKey, failed.Failure.Reason)
	require.Equal(t, "ssh: handshake", failed.Failure.Stage)
	require.Contains(t, failed.Failure.Message, ssh.FingerprintSHA256(middle.Key.PublicKey()))
	require.Equal(t, 1, middle.Calls(), "it is not tried again")
	require.Empty(t, middle.Seen())
	require.True(t, strings.HasPrefix(middle.Sent(), "SSH-2.0-forge\r\n"))
	require.Less(t, len(middle.Sent()), 4<<10, "no more than a key exchange begins with")
	require.Zero(t, n.ssh.Accepted())
	now := n.read(srv.ID)
	require.Equal(t, forge.ServerError, now.Status)
	require.Equal(t, srv.HostKeys, now.HostKeys)
	require.NotEmpty(t, now.InjectedHostKey)

	// He is gone, and all is well.
	n.way.Store(nil)
	again, err := n.Servers.Retry(t.Context(), srv.ID)
	require.NoError(t, err)
	_, err = n.Actions.Wait(t.Context(), again.ID)
	require.NoError(t, err)
	n.renewed(srv.ID)
}

// A man in the middle who comes while the key is replaced: forge sees that the new one
// is not shown, and nothing is installed.
func TestManInTheMiddleOfTheReplacement(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	middle := middleman.New(t, nil)
	n.command = func(e *sshtest.Exec, do func() int) int {
		if slices.Contains(e.Args, "use") {
			n.way.Store(&middle.Addr)
		}
		return do()
	}
	t.Cleanup(n.start())
	srv, a := n.create()
	failed, err := n.Actions.Wait(t.Context(), a.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Equal(t, forge.ReasonHostKey, failed.Failure.Reason)
	require.Equal(t, "host keys", failed.Failure.Stage)
	require.Equal(t, 1, middle.Calls())
	require.Empty(t, middle.Seen())
	require.Zero(t, n.runs.Load(), "nothing is installed")

	n.command = nil
	n.way.Store(nil)
	again, err := n.Servers.Retry(t.Context(), srv.ID)
	require.NoError(t, err)
	_, err = n.Actions.Wait(t.Context(), again.ID)
	require.NoError(t, err)
	n.renewed(srv.ID)
}

// sshd that takes its time to reload shows the given key a little longer.
func TestReloadThatTakesItsTime(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	var late atomic.Int32
	n.command = func(e *sshtest.Exec, do func() int) int {
		code := do()
		if slices.Contains(e.Args, "use") && late.Add(1) == 1 {
			n.ssh.Set(sshtest.Faults{HostKey: n.given})
		} else if slices.Contains(e.Args, "make") && late.Load() == 1 {
			n.ssh.Set(sshtest.Faults{HostKey: n.keys.Shown()})
		}
		return code
	}
	t.Cleanup(n.start())
	srv, a := n.create()
	_, err := n.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	n.renewed(srv.ID)
	require.EqualValues(t, 2, late.Load())
}

func TestHostKeyPinnedByHandStays(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	own := otherHostKey(t)
	middle := middleman.New(t, own) // the image has its own
	n.way.Store(&middle.Addr)
	t.Cleanup(n.start())
	srv, a := n.create()
	_, err := n.Actions.Wait(t.Context(), a.ID)
	require.Error(t, err)
	require.NoError(t, n.Servers.PinHostKey(t.Context(), srv.ID, authorizedLine(own)))
	n.way.Store(nil)
	n.ssh.Set(sshtest.Faults{HostKey: own})
	again, err := n.Servers.Retry(t.Context(), srv.ID)
	require.NoError(t, err)
	_, err = n.Actions.Wait(t.Context(), again.ID)
	require.NoError(t, err)
	now := n.read(srv.ID)
	require.Equal(t, []string{authorizedLine(own)}, now.HostKeys)
	require.Empty(t, now.InjectedHostKey)
	require.Zero(t, n.keys.Made())
}

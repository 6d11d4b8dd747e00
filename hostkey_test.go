package forge_test

import (
	"context"
	"crypto/ed25519"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// reachable is a world with one server, behind which an SSH server listens.
type reachable struct {
	*world
	server *forge.Server
	ssh    *sshtest.Server
	ran    atomic.Int32
}

func reach(t *testing.T, props provider.Properties) *reachable {
	r := &reachable{}
	r.world = newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{
		Properties: props,
		Dial: func(ctx context.Context, _ provider.Spec) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", r.ssh.Addr)
		},
	}).installs()
	var a *forge.Action
	r.server, a = r.create()
	control, _, _, _, err := ssh.ParseAuthorizedKey([]byte(r.server.PublicKey))
	require.NoError(t, err)
	r.ssh = sshtest.New(t, &sshtest.Options{
		AuthorizedKeys: []ssh.PublicKey{control},
		Handler:        func(context.Context, *sshtest.Exec) int { r.ran.Add(1); return 0 },
	})
	t.Cleanup(r.start())
	_, err = r.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	return r
}

func (r *reachable) ask() error {
	_, err := r.Servers.Run(r.t.Context(), r.server.ID, forge.RunOpts{Script: "true", User: "root"})
	return err
}

func otherHostKey(t *testing.T) ssh.Signer {
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	return signer
}

func TestFirstHostKeyIsPinnedAndAChangeStopsEverything(t *testing.T) {
	t.Parallel()
	r := reach(t, provider.Properties{})
	require.Empty(t, r.read(r.server.ID).HostKeys)
	require.NoError(t, r.ask())
	pinned := r.read(r.server.ID).HostKeys
	require.Len(t, pinned, 1)
	require.Contains(t, string(ssh.MarshalAuthorizedKey(r.ssh.HostKey)), pinned[0])
	ran := r.ran.Load()

	// Another process has no connection yet, and meets another host.
	r.ssh.Set(sshtest.Faults{HostKey: otherHostKey(t)})
	next := r.join(r.store, queuememory.New(queuememory.Config{}))
	_, err := next.Servers.Run(t.Context(), r.server.ID, forge.RunOpts{Script: "true", User: "root"})
	require.ErrorContains(t, err, "key")
	r.world = next
	t.Cleanup(next.start())
	key := next.addKey("")
	sync, err := next.Keys.Sync(t.Context(), key.ID, forge.Selector{Servers: []string{r.server.ID}})
	require.NoError(t, err)
	_, err = next.Actions.Wait(t.Context(), sync.ID)
	require.Error(t, err)
	for part, err := range next.Actions.All(t.Context(), forge.ActionFilter{Parent: sync.ID}) {
		require.NoError(t, err)
		require.Equal(t, forge.ReasonHostKey, part.Failure.Reason)
		require.Equal(t, 1, part.Attempt, "it is not tried again")
	}
	require.Equal(t, ran, r.ran.Load(), "nothing was sent")
	require.Equal(t, pinned, r.read(r.server.ID).HostKeys)
}

func TestInjectedHostKeyAloneIsTrusted(t *testing.T) {
	t.Parallel()
	r := reach(t, provider.Properties{InjectsHostKey: true})
	injected := r.read(r.server.ID).HostKeys
	require.Len(t, injected, 1)
	require.ErrorContains(t, r.ask(), "key")
	require.Zero(t, r.ran.Load())
	require.Equal(t, injected, r.read(r.server.ID).HostKeys)

	given := r.cloud.Calls()[0].Spec.HostKey
	signer, err := ssh.ParsePrivateKey(given)
	require.NoError(t, err)
	require.Contains(t, string(ssh.MarshalAuthorizedKey(signer.PublicKey())), injected[0])
	r.ssh.Set(sshtest.Faults{HostKey: signer})
	require.NoError(t, r.ask())
}

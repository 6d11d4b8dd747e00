// Package testmachine gives tests real machines of their own: Debian with
// systemd and SSH on the local Linux box. A test that cannot have one is
// skipped, or fails where FORGE_TEST_MACHINES is 1.
//
// A machine can be brought into trouble, by way of the box and not of SSH, and
// out of it again, at the end of the test at the latest:
//
//   - CutTCP resets the connections; Unplug and Plug take the network away and
//     give it back.
//   - Reboot and Restart restart the machine, RestartSSHD its SSH server, which
//     ends the connections and nothing that runs.
//   - ChangeHostKey has it show another host key.
//   - FillDisk leaves not a block free; BreakDisk lets nobody write any more, for
//     good. Both are for machines of a provider with DiskMiB.
//   - Starve bounds its memory, so that the kernel kills who asks for more.
//   - LockApt holds the lock of apt and dpkg.
package testmachine

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// bootTimeout bounds the time from Create until SSH accepts the control key.
const bootTimeout = time.Minute

// Machine is a running machine that belongs to one test.
type Machine struct {
	ID      string // the provider's
	Address string
	Port    int
	Signer  ssh.Signer    // the control key of root
	HostKey ssh.PublicKey // as the machine shows it

	provider *nspawn.Provider
	pool     *sshexec.Pool // of Run
	mu       sync.Mutex
	conns    map[net.Conn]struct{}
}

// New returns a machine that accepts SSH, and deletes it when the test ends.
// Its image is named by FORGE_TEST_IMAGE and defaults to "debian-12". A cached
// base image given, it takes one to two seconds.
func New(t testing.TB) *Machine {
	t.Helper()
	return boot(t, newProvider(t, nil), Image(), "")
}

// NewCloud returns a machine as New does, that behaves as one of a cloud does: its
// keys and user data arrive by cloud-init, which may be at work still.
func NewCloud(t testing.TB, userData string) *Machine {
	t.Helper()
	return boot(t, Provider(t, nspawn.Config{CloudInit: true}), Image(), userData)
}

// Image is the image of the machines: FORGE_TEST_IMAGE, or else "debian-12".
func Image() string { return cmp.Or(os.Getenv("FORGE_TEST_IMAGE"), "debian-12") }

func newProvider(t testing.TB, images map[string]string) *nspawn.Provider {
	t.Helper()
	return Provider(t, nspawn.Config{Images: images})
}

// Provider returns a provider of machines on this host, which do not outlive
// it. It skips the test, or fails it, where machines cannot be had.
func Provider(t testing.TB, cfg nspawn.Config) *nspawn.Provider {
	t.Helper()
	cfg.SuppressSync, cfg.Logger = true, slog.New(slog.DiscardHandler)
	p, err := nspawn.New(cfg)
	require.NoError(t, err)
	if err := p.Validate(t.Context()); err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), err.Error())
		t.Skip(err)
	}
	return p
}

func boot(t testing.TB, p *nspawn.Provider, image, userData string) *Machine {
	t.Helper()
	m := &Machine{provider: p, pool: sshexec.NewPool(sshexec.PoolConfig{}), conns: map[net.Conn]struct{}{}}
	m.Signer, _ = newKey(t)
	hostKey, hostPEM := newKey(t)
	m.HostKey = hostKey.PublicKey()
	spec := provider.Spec{
		ID:            "test-" + strings.ToLower(rand.Text()),
		Name:          "machine",
		Image:         image,
		AuthorizedKey: string(ssh.MarshalAuthorizedKey(m.Signer.PublicKey())),
		HostKey:       hostPEM,
		Labels:        Labels(),
		Options:       provider.Options{UserData: userData},
	}
	made, err := p.Create(t.Context(), spec)
	require.NoError(t, err)
	m.ID, m.Address, m.Port = made.ID, made.Address, made.Port
	t.Cleanup(func() {
		_ = m.pool.Close()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), bootTimeout)
		defer cancel()
		if err := p.Delete(ctx, m.ID); err != nil {
			t.Errorf("machine is left: %v", err)
		}
	})
	require.NoError(t, m.await(t.Context()))
	return m
}

// Addr is host and port of the machine's SSH server.
func (m *Machine) Addr() string { return net.JoinHostPort(m.Address, strconv.Itoa(m.Port)) }

// Target says how root logs in. Its connections are those that CutTCP cuts.
func (m *Machine) Target() sshexec.Target {
	return sshexec.Target{
		Addr: m.Addr(), User: "root", Signers: []ssh.Signer{m.Signer},
		HostKeys: sshexec.Pinned(m.HostKey), Dial: m.dial,
	}
}

// SSH returns a connection of its own, which ends with the test.
func (m *Machine) SSH(t testing.TB) *sshexec.Client {
	t.Helper()
	client, err := sshexec.Dial(t.Context(), m.Target())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Run runs a command on connections that all calls share.
func (m *Machine) Run(ctx context.Context, cmd sshexec.Command) (*sshexec.Result, error) {
	target := func(context.Context) (sshexec.Target, error) { return m.Target(), nil }
	return m.pool.Client(m.ID, target).Run(ctx, cmd)
}

// Must runs a bash script as root, which has to exit 0, and returns what it
// printed on its standard output.
func (m *Machine) Must(t testing.TB, script string, args ...string) string {
	t.Helper()
	result, err := m.Run(context.WithoutCancel(t.Context()), sshexec.Command{Script: script, Args: args})
	require.NoError(t, err)
	return string(result.Stdout)
}

func newKey(t testing.TB) (ssh.Signer, []byte) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	require.NoError(t, err)
	return signer, pem.EncodeToMemory(block)
}

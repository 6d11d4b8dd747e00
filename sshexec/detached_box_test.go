package sshexec_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// box is a machine for runs.
type box struct {
	target  sshexec.Target
	systemd bool
}

// newBox boots a machine. It skips the test where that cannot be.
func newBox(t testing.TB) *box {
	t.Helper()
	machines, err := nspawn.New(nspawn.Config{})
	if err == nil {
		err = machines.Validate(t.Context())
	}
	if err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), "no machine: %v", err)
		t.Skipf("needs a machine: %v", err)
	}
	login, _ := newKey(t)
	host, hostPEM := newKey(t)
	m, err := machines.Create(t.Context(), provider.Spec{
		ID: newID(), Name: "runs", Image: "debian-12", HostKey: hostPEM,
		AuthorizedKey: string(ssh.MarshalAuthorizedKey(login.PublicKey())),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, machines.Delete(context.Background(), m.ID)) })
	b := &box{target: sshexec.Target{
		Addr:     net.JoinHostPort(m.Address, strconv.Itoa(m.Port)),
		User:     m.User,
		Signers:  []ssh.Signer{login},
		HostKeys: sshexec.Pinned(host.PublicKey()),
	}}
	b.await(t)
	return b
}

// await waits until the machine lets us in.
func (b *box) await(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := sshexec.Dial(t.Context(), b.target)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, time.Minute, 500*time.Millisecond)
}

func (b *box) dial(t testing.TB) *sshexec.Client {
	t.Helper()
	c, err := sshexec.Dial(t.Context(), b.target)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sh runs a script attached and returns what it prints.
func (b *box) sh(t testing.TB, format string, args ...any) string {
	t.Helper()
	c := b.dial(t)
	result, err := c.Run(t.Context(), sshexec.Command{Script: fmt.Sprintf(format, args...)})
	require.NoError(t, err)
	return string(result.Stdout)
}

// held returns a run that prints "held" and goes on when release is called.
func (b *box) held(t testing.TB) (spec sshexec.RunSpec, release func()) {
	t.Helper()
	id := newID()
	b.sh(t, "mkfifo -m 666 /run/%s", id)
	return sshexec.RunSpec{ID: id, Script: script("echo held; read -r _ </run/%s", id)},
		func() { b.sh(t, "echo >/run/%s", id) }
}

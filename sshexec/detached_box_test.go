package sshexec_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// box is a machine for runs.
type box struct {
	target  sshexec.Target
	systemd bool
}

func newBox(t testing.TB) *box {
	t.Helper()
	return &box{target: testmachine.New(t).Target()}
}

// awaitBoot waits until the machine lets us in at another boot.
func (b *box) awaitBoot(t testing.TB, last string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, err := sshexec.Dial(t.Context(), b.target)
		if err != nil {
			return false
		}
		defer func() { _ = c.Close() }()
		result, err := c.Run(t.Context(), sshexec.Command{Script: "cat /proc/sys/kernel/random/boot_id"})
		return err == nil && string(result.Stdout) != last
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

package testmachine_test

import (
	"context"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestTroubles(t *testing.T) { //nolint:tparallel // one machine, one trouble after the other
	t.Parallel()
	m := testmachine.New(t)
	fails := func(t *testing.T, script, text string) {
		t.Helper()
		_, err := m.TryInside(t.Context(), script)
		require.ErrorContains(t, err, text)
	}
	t.Run("apt is locked", func(t *testing.T) {
		const install = "apt-get -qq --reinstall --download-only install sudo --print-uris >/dev/null; apt-get -qq autoremove"
		undo := m.LockApt(t)
		fails(t, install, "Could not get lock")
		undo()
		m.Inside(t, install)
	})
	t.Run("no memory", func(t *testing.T) {
		undo := m.Starve(t, 64)
		require.Equal(t, "137\n", m.Must(t, "code=0; tail /dev/zero || code=$?; echo $code"))
		undo()
		m.Must(t, "head -c 128M /dev/zero | tail -c 128M >/dev/null")
	})
	t.Run("another host key", func(t *testing.T) {
		undo := m.ChangeHostKey(t)
		_, err := sshexec.Dial(t.Context(), m.Target())
		var changed *sshexec.HostKeyError
		require.ErrorAs(t, err, &changed)
		undo()
		m.SSH(t)
	})
	t.Run("sshd restarts", func(t *testing.T) {
		client := m.SSH(t)
		m.RestartSSHD(t)
		_, err := client.Run(t.Context(), sshexec.Command{Script: "true"})
		require.Error(t, err)
		m.SSH(t)
	})
	t.Run("the machine restarts", func(t *testing.T) {
		m.Inside(t, "touch /run/before")
		m.Restart(t)
		m.Inside(t, "test ! -e /run/before")
	})
}

func TestDisk(t *testing.T) {
	t.Parallel()
	image := testmachine.Layer{Name: "plain", Prepare: func(*testmachine.Machine) error { return nil }}.Image(t)
	p := testmachine.Provider(t, nspawn.Config{DiskMiB: 64, Images: map[string]string{"plain": image}})
	made, err := p.Create(t.Context(), provider.Spec{
		ID: "small-" + rand.Text(), Name: "small", Image: "plain", AuthorizedKey: anyKey(t), Labels: testmachine.Labels(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Delete(context.WithoutCancel(t.Context()), made.ID)) })
	m := testmachine.Of(made)
	fails := func(text string) {
		t.Helper()
		_, err := m.TryInside(t.Context(), "echo some >/root/file")
		require.ErrorContains(t, err, text)
	}
	undo := m.FillDisk(t)
	fails("No space left on device")
	undo()
	m.Inside(t, "echo some >/root/file")
	m.BreakDisk(t)
	fails("Read-only file system")
	m.Inside(t, "test -e /root/file")
}

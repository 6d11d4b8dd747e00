package testmachine

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// The troubles of a disk are for machines with nspawn.Config.DiskMiB: that of
// the others is this host's own.

// disk is where the machine's own file system is mounted.
func (m *Machine) disk(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("/var/lib/forge-nspawn/machines", m.ID)
	require.NoError(t, exec.CommandContext(t.Context(), "mountpoint", "--quiet", dir).Run(), "the machine has no disk of its own")
	return dir
}

// FillDisk leaves not a block free on the machine's disk, until end.
func (m *Machine) FillDisk(t testing.TB) (end func()) {
	t.Helper()
	name := filepath.Join(m.disk(t), "fill")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	end = m.undo(t, func() { require.NoError(t, os.Remove(name)) })
	for size := int64(1 << 20); size > 0; size >>= 4 {
		for err = nil; err == nil; {
			if _, err = io.CopyN(f, zeros{}, size); err == nil {
				err = f.Sync() // blocks are given out late
			}
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
	}
	return end
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// BreakDisk makes the machine's disk one that can be read and no longer be
// written, as the kernel does with one that fails. It stays so.
func (m *Machine) BreakDisk(t testing.TB) {
	t.Helper()
	// What was written before is kept.
	out, err := exec.CommandContext(t.Context(), "sync", "--file-system", m.disk(t)).CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.CommandContext(t.Context(), "mount", "-o", "remount,abort", m.disk(t)).CombinedOutput()
	require.NoError(t, err, string(out))
}

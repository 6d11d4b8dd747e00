package testmachine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Starve leaves the machine so many MiB of memory beyond what it has, until
// end: who asks for more is ended by the kernel, the largest process first.
func (m *Machine) Starve(t testing.TB, mib int64) (end func()) {
	t.Helper()
	const v1 = "/sys/fs/cgroup/memory"
	if _, err := os.Stat(v1); err != nil {
		return m.starve(t, filepath.Join("/sys/fs/cgroup", m.ID), mib)
	}
	// Beside a version 2 without controllers, the machine gets a group in
	// version 1 for as long as it starves. What it has already is not counted
	// there.
	unified := filepath.Join("/sys/fs/cgroup/unified", m.ID)
	group := filepath.Join(v1, m.ID)
	require.NoError(t, os.Mkdir(group, 0o750))
	end = m.undo(t, func() {
		moveProcesses(t, unified, v1)
		require.Eventually(t, func() bool { return os.Remove(group) == nil }, 10*time.Second, 10*time.Millisecond)
	})
	write(t, filepath.Join(group, "memory.limit_in_bytes"), strconv.FormatInt(mib<<20, 10))
	moveProcesses(t, unified, group)
	return end
}

func (m *Machine) starve(t testing.TB, group string, mib int64) (end func()) {
	t.Helper()
	now, err := os.ReadFile(filepath.Join(group, "memory.current"))
	require.NoError(t, err, "the memory controller is needed")
	used, err := strconv.ParseInt(strings.TrimSpace(string(now)), 10, 64)
	require.NoError(t, err)
	limit := filepath.Join(group, "memory.max")
	end = m.undo(t, func() { write(t, limit, "max") })
	write(t, limit, strconv.FormatInt(used+mib<<20, 10))
	return end
}

// moveProcesses moves the processes of a tree of groups to another group, those
// too that they make meanwhile.
func moveProcesses(t testing.TB, from, to string) {
	t.Helper()
	moved := map[string]bool{}
	for {
		before := len(moved)
		err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != "cgroup.procs" {
				return ignoreGone(err)
			}
			pids, err := os.ReadFile(path)
			for pid := range strings.FieldsSeq(string(pids)) {
				if !moved[pid] {
					moved[pid] = true
					err = errors.Join(err, os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(pid), 0))
				}
			}
			return ignoreGone(err)
		})
		require.NoError(t, err)
		if len(moved) == before {
			return
		}
	}
}

// ignoreGone passes over a process or a group that has ended.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

func write(t testing.TB, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, []byte(text), 0))
}

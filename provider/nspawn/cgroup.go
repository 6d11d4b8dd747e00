package nspawn

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cgroup is the directory of a control group (v2) that holds all processes of
// one machine, its keeper included. So the kernel says whether the machine is
// running, and ends it whole; there is no process id that could be reused. It
// also parts the units of one machine from those of another, as systemd keeps
// them by control group.
type cgroup string

// cgroupRoot returns where cgroup v2 is mounted.
func cgroupRoot() (string, error) {
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if exists(filepath.Join(dir, "cgroup.controllers")) {
			return dir, nil
		}
	}
	return "", errors.New("cgroup v2 is not mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup, or beside v1 on /sys/fs/cgroup/unified")
}

func machineCgroup(id string) (cgroup, error) {
	root, err := cgroupRoot()
	return cgroup(filepath.Join(root, id)), err
}

// running reports whether the cgroup, or a child of it, has a process.
func (c cgroup) running() bool {
	events, err := os.ReadFile(filepath.Join(string(c), "cgroup.events"))
	return err == nil && slices.Contains(strings.Split(string(events), "\n"), "populated 1")
}

// started waits until the machine in the cgroup runs: systemd-nspawn makes a
// child group for it. It reports false when the keeper has ended before.
func (c cgroup) started(ctx context.Context) (bool, error) {
	for {
		if (c + "/payload").running() {
			return true, nil
		}
		if !c.running() {
			return false, nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// pause returns early, with an error, when the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// remove kills every process of the cgroup and removes it.
func (c cgroup) remove(ctx context.Context) error {
	err := os.WriteFile(filepath.Join(string(c), "cgroup.kill"), []byte("1"), 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for c.running() {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return removeDirs(string(c))
}

// removeV1 removes what systemd-nspawn makes by the same name in the
// hierarchy of cgroup v1 that systemd uses, where the host has it.
func removeV1(id string) error {
	return removeDirs(filepath.Join("/sys/fs/cgroup/systemd", id))
}

// removeDirs removes a tree of directories whose files are the kernel's.
func removeDirs(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, dir := range slices.Backward(dirs) {
		err = errors.Join(err, os.Remove(dir))
	}
	return err
}

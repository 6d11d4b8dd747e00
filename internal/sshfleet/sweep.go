package sshfleet

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/owner"
)

const (
	runDir     = "/run"
	netnsDir   = "/run/netns"
	namePrefix = "forge-fleet-"
)

// newName returns a name that says whose the fleet is. The network namespace and
// the directory of the fleet have it.
func newName() string {
	return namePrefix + owner.Self() + "-" + strings.ToLower(rand.Text()[:8])
}

// Sweep removes the fleets whose process is gone, and returns how many.
func Sweep(ctx context.Context) (int, error) {
	unlock, err := lockDir(runDir) // against another sweep
	if err != nil {
		return 0, err
	}
	defer unlock()
	names := map[string]bool{}
	for _, dir := range []string{runDir, netnsDir} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), namePrefix) {
				names[e.Name()] = true
			}
		}
	}
	n := 0
	var errs []error
	for name := range names {
		mark := strings.TrimPrefix(name, namePrefix)
		if end := strings.LastIndexByte(mark, '-'); end < 0 || !owner.Gone(mark[:end]) {
			continue
		}
		if err := removeLeft(ctx, name); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

// removeLeft removes whatever there is of a fleet.
func removeLeft(ctx context.Context, name string) error {
	if exists(filepath.Join(netnsDir, name)) {
		err := await(ctx, func() (bool, error) { return killAll(ctx, name) })
		if err != nil {
			return err
		}
	}
	if exists(filepath.Join("/sys/class/net", link(name))) {
		if _, err := ip(ctx, "", "link", "delete", link(name)); err != nil {
			return err
		}
	}
	if exists(filepath.Join(netnsDir, name)) {
		if _, err := ip(ctx, "", "netns", "delete", name); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(runDir, name))
}

// killAll kills the processes in a network namespace, and reports whether there
// was none.
func killAll(ctx context.Context, name string) (bool, error) {
	pids, err := ip(ctx, "", "netns", "pids", name)
	if err != nil {
		return false, err
	}
	none := true
	for text := range strings.FieldsSeq(string(pids)) {
		none = false
		pid, err := strconv.Atoi(text)
		if err != nil {
			return false, err
		}
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // it may have ended
			_ = p.Release()
		}
	}
	return none, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// disk is the directory of a machine's own files: what differs from its base
// image is in upper, and root is where both are mounted together.
type disk string

func (d disk) root() string  { return filepath.Join(string(d), "root") }
func (d disk) upper() string { return filepath.Join(string(d), "upper") }
func (d disk) log() string   { return string(d) + ".log" }  // apart, as the machine ends when it cannot be written
func (d disk) file() string  { return string(d) + ".ext4" } // where its size is bounded

// minDiskMiB is what ext4 and a machine that boots need.
const minDiskMiB = 32

// mount puts the disk on the directories of the machine's image.
func (d disk) mount(ctx context.Context, name string, rec *record) error {
	if err := d.bound(ctx, rec.DiskMiB); err != nil {
		return err
	}
	work := filepath.Join(string(d), "work")
	for _, dir := range []string{d.root(), d.upper(), work} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the machine's users read it
			return err
		}
	}
	if slices.Contains(mountsBelow(string(d)), d.root()) {
		return nil
	}
	return mountOverlay(name, d.root(), fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", rec.Lower, d.upper(), work))
}

// bound makes the disk's directory a file system of its own, of that size.
func (d disk) bound(ctx context.Context, mib int) error {
	if mib == 0 || slices.Contains(mountsBelow(string(d)), string(d)) {
		return nil
	}
	if err := os.MkdirAll(string(d), 0o755); err != nil { //nolint:gosec // the machine's users read it
		return err
	}
	if !exists(d.file()) {
		// No room is kept for root. An mkfs that failed is followed by a removal.
		_, err := run(ctx, "", "mkfs.ext4", "-q", "-m", "0", d.file(), strconv.Itoa(mib)+"M")
		if err != nil {
			return err
		}
	}
	_, err := run(ctx, "", "mount", "-o", "loop", d.file(), string(d))
	return err
}

// removeTree removes a directory and whatever is mounted in it.
func removeTree(dir string) error {
	// A mount that stayed would be emptied with the rest.
	if err := unmountBelow(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func unmountBelow(dir string) error {
	var err error
	for _, target := range slices.Backward(mountsBelow(dir)) {
		err = errors.Join(err, unmount(target))
	}
	return err
}

// mountsBelow returns what is mounted at or below dir, in the order in which
// it was mounted.
func mountsBelow(dir string) []string {
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var targets []string
	for line := range strings.Lines(string(info)) {
		if f := strings.Fields(line); len(f) > 4 && (f[4] == dir || strings.HasPrefix(f[4], dir+"/")) {
			targets = append(targets, f[4])
		}
	}
	return targets
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// file is one that a disk gets before its machine starts.
type file struct {
	name string
	mode fs.FileMode
	data []byte
}

// write puts files into a root file system that has never run, or is trusted:
// it follows the symbolic links there.
func (d disk) write(files ...file) error {
	for _, f := range files {
		path := filepath.Join(d.root(), f.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // the machine's users read it
			return err
		}
		// A link of the image, as of resolv.conf, may point at the host.
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(path, f.data, f.mode); err != nil {
			return err
		}
	}
	return nil
}

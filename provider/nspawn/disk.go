package nspawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// disk is the directory of a machine's own files: what differs from its base
// image is in upper, and root is where both are mounted together.
type disk string

func (d disk) root() string  { return filepath.Join(string(d), "root") }
func (d disk) upper() string { return filepath.Join(string(d), "upper") }
func (d disk) log() string   { return filepath.Join(string(d), "console.log") }

// mount puts the disk on lower, the directories of the image joined by colons.
func (d disk) mount(name, lower string) error {
	work := filepath.Join(string(d), "work")
	for _, dir := range []string{d.root(), d.upper(), work} {
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the machine's users read it
			return err
		}
	}
	if slices.Contains(mountsBelow(string(d)), d.root()) {
		return nil
	}
	return mountOverlay(name, d.root(), fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, d.upper(), work))
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

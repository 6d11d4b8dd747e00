package sshfleet

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// stage is where a host's root is put together, in a mount namespace of its own
// in which nobody looks for this machine's files there.
const stage = "/tmp"

// makeRoot puts the root file system together and makes it the thread's. It
// takes none of the file systems mounted below this machine's: they would be in
// use as long as the host runs.
func makeRoot(files []file) error {
	const area = stage + "/tmp"
	if err := mountAll([]mount{
		{target: "/", flags: unix.MS_REC | unix.MS_PRIVATE},
		{source: "/", target: stage, flags: unix.MS_BIND},
		{source: "/dev", target: stage + "/dev", flags: unix.MS_BIND},
		{"devpts", stage + "/dev/pts", "devpts", unix.MS_NOSUID | unix.MS_NOEXEC, "newinstance,gid=5,mode=620,ptmxmode=666"},
		{"disk", area, "tmpfs", unix.MS_NODEV, "size=1g,mode=755"},
	}); err != nil {
		return err
	}
	if err := fill(area, files); err != nil {
		return err
	}
	if err := mountAll([]mount{
		{source: area + "/root", target: stage + "/root", flags: unix.MS_BIND},
		{source: area + "/home", target: stage + "/home", flags: unix.MS_BIND},
		{source: area + "/lib", target: stage + "/var/lib", flags: unix.MS_BIND},
		{source: area + "/etc/ssh", target: stage + "/etc/ssh", flags: unix.MS_BIND},
		{source: area + "/etc/passwd", target: stage + "/etc/passwd", flags: unix.MS_BIND},
		{source: area + "/etc/group", target: stage + "/etc/group", flags: unix.MS_BIND},
		{source: area + "/etc/shadow", target: stage + "/etc/shadow", flags: unix.MS_BIND},
		{"volatile", area, "tmpfs", unix.MS_NODEV, "size=1g,mode=755"},
	}); err != nil {
		return err
	}
	for _, dir := range []struct {
		name string
		mode os.FileMode
	}{
		{"run", 0o755}, {"run/sshd", 0o755}, {"run/lock", 0o777 | os.ModeSticky}, {"log", 0o755},
		{"shm", 0o777 | os.ModeSticky}, {"tmp", 0o777 | os.ModeSticky}, {faultDir, 0o755},
	} {
		if err := makeDir(filepath.Join(area, dir.name), dir.mode, 0); err != nil {
			return err
		}
	}
	if err := mountAll([]mount{
		{source: area + "/run", target: stage + "/run", flags: unix.MS_BIND},
		{source: area + "/log", target: stage + "/var/log", flags: unix.MS_BIND},
		{source: area + "/shm", target: stage + "/dev/shm", flags: unix.MS_BIND},
		{source: area + "/tmp", target: area, flags: unix.MS_BIND},
		{target: stage, flags: unix.MS_REMOUNT | unix.MS_BIND | unix.MS_RDONLY},
	}); err != nil {
		return err
	}
	if err := unix.Chdir(stage); err != nil {
		return os.NewSyscallError("chdir", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return os.NewSyscallError("pivot_root", err)
	}
	return os.NewSyscallError("umount", unix.Unmount(".", unix.MNT_DETACH))
}

// fill puts the hosts' own files on its disk.
func fill(disk string, files []file) error {
	if err := makeDir(disk+"/lib", 0o755, 0); err != nil {
		return err
	}
	if err := makeDir(disk+"/root", 0o700, 0); err != nil {
		return err
	}
	for _, f := range files {
		name := disk + f.path
		if err := makeParents(disk, filepath.Dir(f.path), f.owner); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.content, f.mode); err != nil {
			return err
		}
		if err := os.Chmod(name, f.mode); err != nil { // whatever the umask is
			return err
		}
		if err := os.Lchown(name, f.owner, f.owner); err != nil {
			return err
		}
	}
	return nil
}

func makeParents(disk, dir string, owner int) error {
	if dir == "/" || exists(disk+dir) {
		return nil
	}
	if err := makeParents(disk, filepath.Dir(dir), owner); err != nil {
		return err
	}
	mode := os.FileMode(0o755)
	if filepath.Base(dir) == ".ssh" {
		mode = 0o700
	}
	if dir == "/home" {
		owner = 0
	}
	return makeDir(disk+dir, mode, owner)
}

// makeDir makes a directory with a mode that no umask changes.
func makeDir(name string, mode os.FileMode, owner int) error {
	if err := os.Mkdir(name, mode); err != nil {
		return err
	}
	if err := os.Lchown(name, owner, owner); err != nil {
		return err
	}
	return os.Chmod(name, mode)
}

type mount struct {
	source, target, kind string
	flags                uintptr
	options              string
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount %s%s on %s: %w", m.kind, m.source, m.target, err)
		}
	}
	return nil
}

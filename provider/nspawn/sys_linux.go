package nspawn

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes a lock that belongs to the open file, not to the process, so
// that it works between goroutines and is inherited by child processes.
func tryLock(f *os.File, offset int64) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: offset, Len: 1}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

func mountOverlay(name, target, options string) error {
	return os.NewSyscallError("mount overlay", unix.Mount(name, target, "overlay", 0, options))
}

// unmount detaches what is busy, which then goes with its last user.
func unmount(target string) error {
	err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		err = unix.Unmount(target, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH)
	}
	return os.NewSyscallError("unmount "+target, err)
}

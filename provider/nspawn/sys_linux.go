package nspawn

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

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

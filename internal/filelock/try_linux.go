package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// try takes a lock that belongs to the open file, not to the process, so that
// it works between goroutines and is inherited by child processes.
func try(f *os.File, offset int64) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Start: offset, Len: 1}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

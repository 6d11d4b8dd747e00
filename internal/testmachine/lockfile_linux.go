package testmachine

import (
	"os"
	"syscall"
)

// lockFile takes the lock of fcntl, which is what dpkg asks for.
func lockFile(f *os.File) error {
	return syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
}

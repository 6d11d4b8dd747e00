package sshfleet

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// boot starts a host: a thread makes the namespaces and fills them, sshd inherits
// them from it, and the thread ends. This costs far less than programs that do
// the same. Only /proc has to be mounted by a process that is in it.
func boot(h *Host, files []file, complaints *os.File) (*os.Process, error) {
	cmd := exec.Command("/bin/sh", "-c",
		"mount -t proc -o nosuid,nodev,noexec proc /proc && exec "+sshdProgram+" -D -E /var/log/auth.log")
	cmd.Dir, cmd.Env, cmd.Stderr = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, complaints
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Setsid: true}
	err := onOwnThread(func() error {
		if err := isolate(h); err != nil {
			return err
		}
		if err := makeRoot(files); err != nil {
			return err
		}
		return cmd.Start()
	})
	return cmd.Process, err
}

func isolate(h *Host) error {
	netns, err := os.Open(filepath.Join(netnsDir, h.fleet))
	if err != nil {
		return err
	}
	defer func() { _ = netns.Close() }()
	if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("setns", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	return os.NewSyscallError("sethostname", unix.Sethostname([]byte(h.Name)))
}

// onOwnThread runs f on a thread that ends with it, and with it the namespaces
// that f went into.
func onOwnThread(f func() error) error {
	done := make(chan error, 1)
	var work func()
	work = func() {
		runtime.LockOSThread() // for good: such a thread ends with its goroutine
		if unix.Gettid() != unix.Getpid() {
			done <- f()
			return
		}
		// The main thread would stay, and is what others see of the process.
		defer runtime.UnlockOSThread()
		other := make(chan struct{})
		go func() {
			defer close(other)
			work()
		}()
		<-other
	}
	go work()
	return <-done
}

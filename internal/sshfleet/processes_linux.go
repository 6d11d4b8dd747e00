package sshfleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// hangUp tells sshd to read its configuration again.
func (h *Host) hangUp() error { return h.sshd.Signal(syscall.SIGHUP) }

// ended reports whether sshd, and so the host, is no more. Until Close has waited
// for it, no other process has its id.
func (h *Host) ended() bool {
	return errors.Is(h.sshd.Signal(syscall.Signal(0)), os.ErrProcessDone) || state(h.sshd.Pid) == 'Z'
}

// freeze stops every process of the host.
func (h *Host) freeze(ctx context.Context) error {
	return await(ctx, func() (bool, error) {
		return h.signal(syscall.SIGSTOP, func(state byte) bool { return state != 'T' })
	})
}

// thaw has them go on.
func (h *Host) thaw(ctx context.Context) error {
	return await(ctx, func() (bool, error) {
		return h.signal(syscall.SIGCONT, func(state byte) bool { return state == 'T' })
	})
}

// endProcesses ends every process of hosts but their first ones.
func endProcesses(ctx context.Context, hosts ...*Host) error {
	for _, h := range hosts {
		if err := h.running(); err != nil {
			return err
		}
	}
	return await(ctx, func() (bool, error) {
		all, err := processes()
		if err != nil {
			return false, err
		}
		none := true
		for _, h := range hosts {
			ns, err := namespace(h.sshd.Pid)
			if err != nil {
				return false, err
			}
			others, err := signal(ns, all[ns], syscall.SIGKILL, func(pid int, _ byte) bool { return pid != h.sshd.Pid })
			if err != nil {
				return false, err
			}
			none = none && others
		}
		return none, nil
	})
}

// signal sends a signal to the host's processes that are in a state, and reports
// whether there was none.
func (h *Host) signal(sig os.Signal, in func(state byte) bool) (bool, error) {
	ns, err := namespace(h.sshd.Pid)
	if err != nil {
		return false, err
	}
	all, err := processes()
	if err != nil {
		return false, err
	}
	return signal(ns, all[ns], sig, func(_ int, state byte) bool { return in(state) })
}

func signal(ns string, pids []int, sig os.Signal, kind func(pid int, state byte) bool) (bool, error) {
	none := true
	for _, pid := range pids {
		if s := state(pid); s == 0 || s == 'Z' || !kind(pid, s) {
			continue
		}
		none = false
		p, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		// Its id may have been used again until it was found, and is not from here on.
		if now, err := namespace(pid); err == nil && now == ns {
			err = p.Signal(sig)
			if err != nil && !errors.Is(err, os.ErrProcessDone) {
				return false, err
			}
		}
		_ = p.Release()
	}
	return none, nil
}

// processes returns those of this machine by their process namespace.
func processes() (map[string][]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[string][]int{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if ns, err := namespace(pid); err == nil { // it may have ended
			found[ns] = append(found[ns], pid)
		}
	}
	return found, nil
}

func namespace(pid int) (string, error) {
	return os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
}

// state is that of proc(5), or 0 where there is no such process.
func state(pid int) byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	if rest == "" {
		return 0
	}
	return rest[0]
}

// open opens a file as a process of the host would.
func (h *Host) open(name string) (*os.File, error) {
	root, err := os.Open(h.path("/"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	fd, err := unix.Openat2(int(root.Fd()), name, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT,
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: h.Name + ":" + name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// lockDir takes a lock that ends with this process at the latest, and leaves no
// file.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, os.NewSyscallError("flock", err)
	}
	return func() { _ = f.Close() }, nil
}

//go:build unix

package sshtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// runShell runs a command as sshd does: in a session of its own, telling its
// end at once, and the end of its output when nobody holds it open any more.
func runShell(ctx context.Context, e *Exec, tell func(exitStatus)) exitStatus {
	fail := func(err error) exitStatus {
		_, _ = fmt.Fprintln(e.Stderr, err)
		return exitStatus{code: 255}
	}
	cmd := exec.Command("/bin/sh", "-c", e.Line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// SHLVL keeps bash from reading ~/.bashrc, as it would for sshd.
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=/usr/local/bin:/usr/bin:/bin", "SHLVL=1"}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fail(err)
	}
	var outputs sync.WaitGroup
	var pipes []*os.File
	output := func(to io.Writer) (*os.File, error) {
		r, w, err := os.Pipe()
		if err == nil {
			pipes = append(pipes, r, w)
			outputs.Go(func() { _, _ = io.Copy(to, r) })
		}
		return w, err
	}
	closePipes := func() {
		for _, f := range pipes {
			_ = f.Close()
		}
	}
	out, err1 := output(e.Stdout)
	errs, err2 := output(e.Stderr)
	cmd.Stdout, cmd.Stderr = out, errs
	if err := errors.Join(err1, err2); err != nil {
		closePipes()
		return fail(err)
	}
	if err := cmd.Start(); err != nil {
		closePipes()
		return fail(err)
	}
	_ = out.Close()
	_ = errs.Close()
	go func() {
		_, _ = io.Copy(stdin, e.Stdin)
		_ = stdin.Close()
	}()
	stop := context.AfterFunc(ctx, func() {
		// sshd lets the process live; a test must leave none.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		closePipes()
	})
	defer stop()
	_ = cmd.Wait()
	status := exitStatus{told: true}
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		status.signal = strings.TrimPrefix(unix.SignalName(ws.Signal()), "SIG")
	} else {
		status.code = ws.ExitStatus()
	}
	tell(status)
	outputs.Wait()
	closePipes()
	return status
}

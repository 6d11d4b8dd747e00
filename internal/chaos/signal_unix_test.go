//go:build unix

package chaos

import "syscall"

// stop makes the process sleep, until wake.
func (p *process) stop() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

func (p *process) wake() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

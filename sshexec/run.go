package sshexec

import "time"

// RunSpec describes a detached run: a script that the server runs apart from
// the connection that started it, at most once for its ID.
type RunSpec struct {
	// ID names the run for ever: 1 to 64 lower-case letters, digits and dashes.
	ID string
	// Script runs with bash -euo pipefail, or by its own shebang.
	Script []byte
	// User is the unix user that runs the script. Defaults to root.
	User string
	// Dir is where the script starts; it is absolute and exists. Defaults to
	// the user's home, or / where there is none.
	Dir string
	// Env is added to HOME, USER, LOGNAME, SHELL, PATH, LANG=C.UTF-8 and
	// FORGE_RUN_DIR, or replaces them. Values may hold any byte but NUL, up to
	// 128 KiB, and 1 MiB together. They are never readable by other users.
	Env map[string]string
	// Files are written into a directory, readable by the user alone, before
	// the script starts, and removed when it has ended; $FORGE_RUN_DIR says
	// where. Names are letters, digits, dots, dashes and underscores.
	Files map[string][]byte
	// Fence is checked when the run is started, and not held while it runs.
	Fence Fence
	// StopTimeout is the time between TERM and KILL. Defaults to 2 s.
	StopTimeout time.Duration
	// MaxLog ends the delivery of the log at that byte of it; the run goes on,
	// and so does the waiting for its end. Defaults to no limit.
	MaxLog int64
}

// RunState is the state of a detached run.
type RunState string

// The states of a detached run.
const (
	RunUnknown     RunState = "unknown"     // the server does not know the run
	RunRunning     RunState = "running"     // started, not ended
	RunExited      RunState = "exited"      // ended with RunStatus.ExitCode
	RunSignaled    RunState = "signaled"    // ended by RunStatus.Signal
	RunInterrupted RunState = "interrupted" // started, gone, and nobody saw its end: a reboot
	RunBarred      RunState = "barred"      // stopped before it started; never starts
)

// RunStatus is what the server knows of a detached run.
type RunStatus struct {
	State    RunState
	ExitCode int    // where State is RunExited
	Signal   string // where State is RunSignaled, as "KILL"
	LogSize  int64  // bytes of output so far
}

// Ended reports whether the run will print nothing more.
func (s RunStatus) Ended() bool { return s.State != RunRunning && s.State != RunUnknown }

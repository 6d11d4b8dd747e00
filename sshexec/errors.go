package sshexec

import (
	"errors"
	"fmt"
)

var (
	// ErrFenced says that a holder with a higher epoch has been on the server.
	ErrFenced = errors.New("the lease on this server was taken by another worker")
	// ErrUnknown says that the connection was lost and the outcome is not
	// known: the command may have run, in part, whole or not at all.
	ErrUnknown = errors.New("the connection was lost and the outcome is not known")
	// ErrShrunk says that a run's log became shorter than what was read of it.
	ErrShrunk = errors.New("the log of the run became shorter while it was read")
	// ErrClosed says that the client or the pool is closed.
	ErrClosed = errors.New("connection is closed")
)

// Stage is how far a connection came.
type Stage string

// The stages of a connection.
const (
	StageTCP       Stage = "tcp"
	StageHandshake Stage = "handshake"
	StageAuth      Stage = "authentication"
	StageSession   Stage = "session"
)

// ConnectError says at which stage a server could not be reached.
type ConnectError struct {
	Addr  string
	Stage Stage
	Err   error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to %s: %s: %v", e.Addr, e.Stage, e.Err)
}

func (e *ConnectError) Unwrap() error { return e.Err }

// HostKeyError says that a server showed another key than the one it is known
// by. Nothing was sent to it.
type HostKeyError struct {
	Addr string
	Want []string // SHA256 fingerprints
	Got  string
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("host key of %s changed: known %v, shown %s; if that is right, pin the new key", e.Addr, e.Want, e.Got)
}

// ExitError is the outcome of a command that failed.
type ExitError struct {
	ExitCode int    // -1 when ended by a signal
	Signal   string // as "KILL"
	Stderr   string // the last 4 KiB of what it printed there
}

func (e *ExitError) Error() string {
	what := fmt.Sprintf("exit status %d", e.ExitCode)
	if e.Signal != "" {
		what = "signal " + e.Signal
	}
	if e.Stderr == "" {
		return what
	}
	return what + ": " + e.Stderr
}

package sshexec

import (
	"io"
	"time"
)

// Command is a script that runs attached to the connection, at most once.
// When the connection is lost before its end, its outcome is unknown.
type Command struct {
	// Script is bash source; it runs with -euo pipefail. Values never stand in
	// it: they are passed as Args and used as "$1", "$2", ...
	Script string
	Args   []string
	// Perl makes Script perl source, which finds its values in @ARGV. Debian and
	// Ubuntu always have perl, by the essential package perl-base; a module costs
	// more than perl itself. As root it runs in the process that holds the fence,
	// and so would a child that it forks and that executes nothing.
	Perl bool
	// User is the unix user that runs the script. Defaults to root. Where it is
	// not the login user, sudo -n or runuser changes to it.
	User string
	// Stdin defaults to nothing at all.
	Stdin io.Reader
	// Stdout and Stderr receive the output as it comes. Where one is nil, its
	// first MaxOutput bytes are kept in the Result.
	Stdout, Stderr io.Writer
	// Fence makes the script hold a lock on the server and refuses to run it
	// for the holder of an outdated lease. Defaults to no fence.
	Fence Fence
}

// MaxOutput is how much of an output without a writer a Result keeps, in bytes.
const MaxOutput = 1 << 20

// Fence keeps a worker that lost its lease from changing the server. The server
// remembers the highest epoch that it saw for a key, and refuses a lower one
// with ErrFenced.
type Fence struct {
	Key   string // letters, digits and dashes; empty means no fence
	Epoch int64
}

// Result is the outcome of a command that came to its end.
type Result struct {
	ExitCode  int    // 0 to 255; -1 when ended by a signal
	Signal    string // as "KILL"; empty when it exited
	Stdout    []byte // what a nil Command.Stdout received
	Stderr    []byte
	Truncated bool // more was printed than MaxOutput, or after the script's end
	Duration  time.Duration
}

// Package runcall has what a client asks the scripts on detached runs for, so that a
// server for tests can tell it.
package runcall

// The last line of the scripts. The id of the run is their first argument.
const (
	// Attach has as further arguments the offset in the log, its limit, the size of
	// the payload on stdin, the user, the directory, the milliseconds between TERM
	// and KILL, the fence's key and epoch.
	Attach = "attach(@ARGV)"
	Follow = "follow(@ARGV)" // the offset in the log, its limit
	Status = "look(); report()"
	Stop   = "stop()"
	Clean  = "clean()"
)

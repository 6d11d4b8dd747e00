// Package runcall has the calls by which the scripts on detached runs are asked
// for something, so that a server for tests can tell them apart. The id of the
// run is their first argument, the offset in its log the second.
package runcall

// The last line of the scripts.
const (
	// Attach has as further arguments the limit of the log, the size of the
	// payload on stdin, the user, the directory, the milliseconds between TERM
	// and KILL, the fence's key and epoch.
	Attach = `attach "${@:2}"`
	Follow = `follow "$2" "$3"` // the third argument is the limit of the log
	Status = "look; report"
	Stop   = "stop"
	Clean  = "clean"
)

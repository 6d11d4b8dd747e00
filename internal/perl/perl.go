// Package perl has what the scripts in perl share that forge sends to servers.
package perl

import (
	_ "embed"
	"regexp"
)

// Calls is source that declares the numbers of system calls, as $renameat2. They are
// not defined on a machine that is neither amd64 nor arm64.
//
//go:embed calls.pl
var Calls string

// Compact leaves away indents and comments: a server is sent a script with each
// command, and its shell and perl read all of it. A comment that follows code has
// four spaces before it.
func Compact(source string) string { return unread.ReplaceAllString(source, "") }

var unread = regexp.MustCompile(`(?m)^\s*#.*\n|^\s+| {4}# .*$`)

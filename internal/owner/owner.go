// Package owner names the process that something on this host belongs to, so
// that what a killed one has left can be told from what is in use.
package owner

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Self is the mark of this process: its id and when it started, since ids are
// used again.
func Self() string { return of(os.Getpid()) }

// Gone reports whether no process has the mark any more.
func Gone(mark string) bool {
	id, _, _ := strings.Cut(mark, "-")
	pid, err := strconv.Atoi(id)
	return err != nil || of(pid) != mark
}

// of is empty when there is no such process.
func of(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The command's name, in parentheses, may hold anything; the start time is
	// field 22, the 20th behind it.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const start = 19
	if len(fields) <= start {
		return ""
	}
	return strconv.Itoa(pid) + "-" + fields[start]
}

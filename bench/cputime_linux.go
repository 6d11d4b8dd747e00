package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what this process has used of the CPUs so far.
func cpuTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

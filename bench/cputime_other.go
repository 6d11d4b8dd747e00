//go:build !linux

package main

import "time"

// cpuTime is measured on Linux alone, as the machines are.
func cpuTime() time.Duration { return 0 }

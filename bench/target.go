package main

import (
	"cmp"
	"fmt"
)

// target is what a ratio is meant to be at most.
type target struct {
	most float64
	// limit is why that is missed, where it is known.
	limit string
}

const (
	busyServers = "what the servers run fills both cores"
	ownShell    = "a command runs in a bash of its own, apart from the user's login shell"
	ownUnit     = "a systemd unit starts and ends, in which the script outlives the connection"
	ownIndex    = "PostgreSQL keeps one index more, by which no job is there twice"
)

// targets returns those of a row by its peers.
func targets(row string) map[string]target {
	return map[string]map[string]target{
		"stream-1m":          {"ssh >file": {most: 1.5}},
		"stream-1m-postgres": {"ssh >file": {most: 2.5}},
		"upload-256m":        {"scp": {most: 0.7}},
		"upload-2000":        {"rsync": {most: 0.6}},
		"deploy-cold":        {"capistrano": {most: 0.15}},
		"deploy-warm":        {"capistrano": {0.05, ownUnit}},
		"queue-river":        {"bare River": {1.11, ownIndex}},
		"queue-latency-p50":  {"River's defaults": {most: 0.1}},
		"queue-latency-p99":  {"River's defaults": {most: 0.1}},
		"sync-50-cold":       {"floor": {most: 1.25}, "pssh": {most: 0.3}, "ansible": {0.08, busyServers}},
		"sync-50-warm":       {"floor": {1.5, busyServers}, "ansible": {0.02, "it is less than the floor comes to"}},
		"sync-500-cold":      {elevenFold: {most: 1}},
		"exec-warm-p50":      {"ControlMaster": {0.4, ownShell}},
		"exec-warm-p99":      {"ControlMaster": {0.4, ownShell}},
		"exec-50-cold":       {"xargs ssh": {most: 0.85}},
		"exec-50-warm":       {"xargs ControlMaster": {0.4, ownShell}},
		"idle":               {boundName: {most: 1}},
	}[row]
}

// verdict says what a ratio was meant to be, and why it is not that.
func (t target) verdict(ratio float64) string {
	switch {
	case t.most == 0:
		return ""
	case ratio <= t.most:
		return fmt.Sprintf("  at most %g", t.most)
	}
	return fmt.Sprintf("  at most %g: missed\n    %s", t.most, cmp.Or(t.limit, "for no reason that is known"))
}

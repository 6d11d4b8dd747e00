package testmachine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

// ownerLabel names the process that a test's machine belongs to.
const ownerLabel = "forge-test-owner"

// Labels mark a machine as this test process's own, so that Sweep removes it
// once the process is gone.
func Labels() map[string]string { return map[string]string{ownerLabel: owner(os.Getpid())} }

// owner returns a process's id and when it started, since ids are used again.
// It is empty when there is no such process.
func owner(pid int) string {
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

// Sweep deletes the machines whose test process is gone, and returns how many.
func Sweep(ctx context.Context) (int, error) {
	p, err := nspawn.New(nspawn.Config{})
	if err != nil {
		return 0, err
	}
	machines, err := p.List(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	var errs []error
	for _, m := range machines {
		label := m.Labels[ownerLabel]
		text, _, _ := strings.Cut(label, "-")
		pid, err := strconv.Atoi(text)
		if label == "" || (err == nil && owner(pid) == label) {
			continue
		}
		if err := p.Delete(ctx, m.ID); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}

//go:build !unix

package sshtest

import (
	"context"
	"fmt"
)

func runShell(_ context.Context, e *Exec, _ func(exitStatus)) exitStatus {
	_, _ = fmt.Fprintln(e.Stderr, "sshtest: there is no /bin/sh on this system")
	return exitStatus{code: 255}
}

package nspawn

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// run executes a tool and returns its output; its complaints are in the error.
func run(ctx context.Context, stdin, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, toolError(ctx, name, err, stderr.Bytes())
	}
	return out, nil
}

func toolError(ctx context.Context, name string, err error, output []byte) error {
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	const most = 2048
	output = bytes.TrimSpace(output)
	if len(output) > most {
		output = output[len(output)-most:]
	}
	if len(output) == 0 {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s: %w: %s", name, err, output)
}

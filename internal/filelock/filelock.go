// Package filelock has locks between goroutines and processes of one host.
package filelock

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Lock holds the named lock of a lock file against every other holder, in this
// process or another, until the file that it returns is closed, with the
// copies that child processes have of it. A name is one byte of the file, so
// that locks leave nothing but the file behind. Where the system has no such
// locks, the error is errors.ErrUnsupported.
func Lock(ctx context.Context, file, name string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(name))
	offset := int64(binary.BigEndian.Uint64(sum[:]) >> 2)
	// The kernel's own wait heeds no context, so it is asked again and again.
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, context.Cause(ctx))
		}
		switch ok, err := try(f, offset); {
		case err != nil:
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		case ok:
			return f, nil
		}
		timer.Reset(wait)
	}
}

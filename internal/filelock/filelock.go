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

// Held is a lock that is held.
type Held struct{ file *os.File }

// Release gives the lock back.
func (h *Held) Release() { _ = h.file.Close() }

// File is what a child process inherits in order to hold the lock too, until
// it ends, whatever becomes of this process.
func (h *Held) File() *os.File { return h.file }

// Acquire waits for the named lock of a lock file, which has no other holder
// then, in this process or another. A name is one byte of the file, so that
// locks leave nothing but the file behind. Where the system has no such locks,
// the error is errors.ErrUnsupported.
func Acquire(ctx context.Context, file, name string) (*Held, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(name))
	offset := int64(binary.BigEndian.Uint32(sum[:]))
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
			return &Held{f}, nil
		}
		timer.Reset(wait)
	}
}

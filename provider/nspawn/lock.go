package nspawn

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lock holds the named lock of a lock file against every other holder, in this
// process or another, until its file is closed, with the copies that child
// processes have of it. A name is one byte of the file, so that locks leave
// nothing behind.
func lock(ctx context.Context, file, name string) (*os.File, error) {
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
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		ok, err := tryLock(f, offset)
		if ok {
			return f, nil
		}
		if err == nil {
			err = pause(ctx, wait)
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
	}
}

// pause returns early, with an error, when the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Provider) lock(ctx context.Context, name string) (*os.File, error) {
	return lock(ctx, filepath.Join(p.cfg.Dir, "lock"), name)
}

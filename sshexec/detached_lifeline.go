package sshexec

import (
	"context"
	"io"
	"time"
)

// lifeline is the stdin of a script on the server: a payload, then a byte every
// so often, until ctx is done. It tells the script that its client is there,
// which sshd may not know for hours.
type lifeline struct {
	ctx     context.Context
	payload []byte
	every   time.Duration
}

func newLifeline(ctx context.Context, payload []byte, every time.Duration) io.Reader {
	return &lifeline{ctx: ctx, payload: payload, every: every}
}

func (l *lifeline) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(l.payload) > 0 {
		n := copy(p, l.payload)
		l.payload = l.payload[n:]
		return n, nil
	}
	beat := time.NewTimer(l.every)
	defer beat.Stop()
	select {
	case <-beat.C:
		p[0] = '\n'
		return 1, nil
	case <-l.ctx.Done():
		return 0, io.EOF
	}
}

package sshexec

import (
	"io"
	"time"
)

// lifeline is the stdin of a script on the server: a payload, then a byte every
// so often, until done is closed. It tells the script that its client is there,
// which sshd may not know for hours.
type lifeline struct {
	payload []byte
	done    <-chan struct{}
}

// heartbeat is the time between two bytes. The script gives up after four.
const heartbeat = 5 * time.Second

func (l *lifeline) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(l.payload) > 0 {
		n := copy(p, l.payload)
		l.payload = l.payload[n:]
		return n, nil
	}
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	select {
	case <-beat.C:
		p[0] = '\n'
		return 1, nil
	case <-l.done:
		return 0, io.EOF
	}
}

package sshexec

import (
	"net"
	"sync/atomic"
)

// wire is the connection below SSH. It notes its end before the SSH library ends the
// sessions, to whose readers an output that was cut looks like one that is whole.
type wire struct {
	net.Conn
	over atomic.Bool
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.over.Store(true)
	}
	return n, err
}

// Close notes it too: after an error of SSH itself, as a disconnect by the server,
// nothing more is read.
func (w *wire) Close() error {
	w.over.Store(true)
	return w.Conn.Close()
}

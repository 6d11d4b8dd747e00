package sshexec

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// promptConn acknowledges at once what it has read. sshd keeps a small packet
// back until the one before it is acknowledged, and Linux puts that off for
// 40 ms where there is nothing to send along with it: the first session of a
// connection and a command that prints little by little would wait that long.
type promptConn struct {
	net.Conn
	raw syscall.RawConn
}

// prompt makes a connection one that acknowledges at once, where it is TCP's.
func prompt(conn net.Conn) net.Conn {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return conn
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return conn
	}
	return &promptConn{conn, raw}
}

func (c *promptConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	_ = c.raw.Control(acknowledge)
	return n, err
}

// acknowledge is asked for anew after each read: Linux forgets it.
func acknowledge(fd uintptr) {
	_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
}

package sshexec

import (
	"context"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Target says how one server is reached and by what it is recognised.
type Target struct {
	Addr     string       // host:port
	User     string       // login name: root, or one with sudo without a password
	Signers  []ssh.Signer // tried in this order
	HostKeys HostKeys     // required

	// Dial opens the TCP connection. Defaults to a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout bounds TCP, handshake and authentication together.
	// Defaults to 15 s.
	Timeout time.Duration
}

// HostKeys knows the host keys of servers.
type HostKeys interface {
	// Known returns the keys that addr may show; none means that the server
	// was never seen.
	Known(ctx context.Context, addr string) ([]ssh.PublicKey, error)
	// Pin is called with the key of a server that Known does not know, before
	// anything is sent to it. An error refuses the connection.
	Pin(ctx context.Context, addr string, key ssh.PublicKey) error
}

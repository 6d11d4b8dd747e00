package sshtest

import (
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Faults are ways to misbehave. They are set with Server.Set, at any time, and
// also change the connections that exist.
type Faults struct {
	// Silent keeps all that the server would say from the clients. Set before
	// a connection, it accepts TCP and says nothing; set later, it goes silent.
	Silent bool
	// Delay is added to each packet to a client.
	Delay time.Duration
	// BytesPerSecond bounds what a connection transports to the client.
	// 0 means no bound.
	BytesPerSecond int64
	// DropAfter cuts the connection by which the server writes its n-th byte
	// from now on. That happens once. 0 means never.
	DropAfter int64
	// RefuseSessions refuses all new sessions.
	RefuseSessions bool
	// RefuseCommands refuses what sessions are asked to do.
	RefuseCommands bool
	// IgnoreKeepalive leaves keepalive probes without an answer.
	IgnoreKeepalive bool
	// HostKey is shown to new connections instead of the server's.
	HostKey ssh.Signer
	// NoExitStatus ends commands without telling how, as when sshd is killed.
	NoExitStatus bool
	// Signal says of all commands that this signal ended them, as "KILL".
	Signal string
}

// Set replaces the faults. Without any, the server behaves.
func (s *Server) Set(faults Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.written = faults, 0
}

func (s *Server) current() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// spend counts n bytes that are to be written and reports whether the
// connection is to be cut after the first allowed of them.
func (s *Server) spend(n int) (allowed int, cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += int64(n)
	if s.faults.DropAfter == 0 || s.written < s.faults.DropAfter {
		return n, false
	}
	allowed = n - int(s.written-s.faults.DropAfter)
	s.faults.DropAfter = 0
	return allowed, true
}

// faultyConn is the server's side of a connection.
type faultyConn struct {
	net.Conn
	server *Server
}

func (c *faultyConn) Write(p []byte) (int, error) {
	f := c.server.current()
	wait := f.Delay
	if f.BytesPerSecond > 0 {
		wait += time.Duration(len(p)) * time.Second / time.Duration(f.BytesPerSecond)
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-c.server.done:
		}
	}
	if f.Silent {
		return len(p), nil
	}
	allowed, cut := c.server.spend(len(p))
	if !cut {
		return c.Conn.Write(p)
	}
	n, _ := c.Conn.Write(p[:allowed])
	_ = c.Close()
	return n, net.ErrClosed
}

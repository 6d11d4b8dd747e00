// Package middleman gives tests a man in the middle: an SSH server that lets
// everybody in, does nothing that it is told, and remembers all that it saw.
package middleman

import (
	"bytes"
	"crypto/ed25519"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// Middleman is a man in the middle, on a loopback port.
type Middleman struct {
	Addr string
	Key  ssh.Signer // what it shows

	listener net.Listener
	tasks    sync.WaitGroup

	mu    sync.Mutex
	calls int
	sent  bytes.Buffer // by all clients, as it came
	seen  []string
}

// New starts one with a host key, or with one of its own where that is nil. It ends
// with the test.
func New(t testing.TB, key ssh.Signer) *Middleman {
	t.Helper()
	if key == nil {
		_, private, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		key, err = ssh.NewSignerFromKey(private)
		require.NoError(t, err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m := &Middleman{Addr: listener.Addr().String(), Key: key, listener: listener}
	m.tasks.Go(m.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		m.tasks.Wait()
	})
	return m
}

// Calls is how often somebody connected.
func (m *Middleman) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Sent is all that came over the wire, most of which is what SSH begins with.
func (m *Middleman) Sent() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent.String()
}

// Seen is what it could read: who wanted to log in, and what was asked for then.
func (m *Middleman) Seen() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.seen)
}

func (m *Middleman) note(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, what)
}

func (m *Middleman) accept() {
	for {
		conn, err := m.listener.Accept()
		if err != nil {
			return
		}
		m.mu.Lock()
		m.calls++
		m.mu.Unlock()
		m.tasks.Go(func() {
			defer func() { _ = conn.Close() }()
			m.serve(heard{conn, m})
		})
	}
}

func (m *Middleman) serve(conn net.Conn) {
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			m.note("login of " + c.User() + " by " + ssh.FingerprintSHA256(key))
			return nil, nil
		},
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			m.note("login of " + c.User() + " by the password " + string(password))
			return nil, nil
		},
	}
	config.AddHostKey(m.Key)
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	m.tasks.Go(func() { ssh.DiscardRequests(requests) })
	for channel := range channels {
		opened, requests, err := channel.Accept()
		if err != nil {
			return
		}
		m.tasks.Go(func() {
			defer func() { _ = opened.Close() }()
			for request := range requests {
				m.note(request.Type + " " + string(request.Payload))
				_ = request.Reply(false, nil)
			}
		})
	}
}

// heard is a connection of which all that comes is remembered.
type heard struct {
	net.Conn
	m *Middleman
}

func (c heard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	c.m.sent.Write(p[:n])
	return n, err
}

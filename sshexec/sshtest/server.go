package sshtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// Options configure a Server. The zero value works.
type Options struct {
	// HostKey is the server's key. Defaults to a new ed25519 key.
	HostKey ssh.Signer
	// AuthorizedKeys may log in under any name, as Server.Signer may.
	AuthorizedKeys []ssh.PublicKey
	// AnyKey lets every key log in: the control keys of servers that forge
	// makes are not known beforehand.
	AnyKey bool
	// Handler runs the commands. Defaults to one that exits with 127.
	Handler Handler
	// Run does the work of detached runs, those of sshexec's Client.Attach: once
	// for each id, and apart from the connection. Defaults to none: then they
	// are commands, for Handler or Shell.
	Run Runner
	// Shell runs the commands by /bin/sh as the user of the test instead, as
	// sshd would: really, on this machine. Without root, commands must be for
	// the login user, as there is no way to change it.
	Shell bool
	// Dir is the root of the files that SFTP serves; all of them belong to
	// root. Defaults to a temporary directory.
	Dir string
	// MaxSessions is how many sessions a connection may have at once.
	// Defaults to 10, as in sshd.
	MaxSessions int
}

// Server is a running SSH server on a loopback port.
type Server struct {
	Addr    string        // host:port
	Dir     string        // what SFTP serves
	HostKey ssh.PublicKey // what it shows, unless Faults.HostKey is set
	Signer  ssh.Signer    // may log in

	opts       Options
	authorized []ssh.PublicKey
	listener   net.Listener
	files      *os.Root
	runs       runs
	tasks      sync.WaitGroup
	done       chan struct{} // closed with the server

	mu       sync.Mutex
	faults   Faults
	written  int64 // to all clients, since the faults were set
	conns    map[net.Conn]struct{}
	accepted int
	sessions int
}

// New starts a server that is closed when the test ends. Nil options are the
// zero value.
func New(t testing.TB, opts *Options) *Server {
	t.Helper()
	s, err := Start(opts)
	if err != nil {
		t.Fatalf("start an SSH server: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a server where there is no test to end it: Close does.
func Start(opts *Options) (*Server, error) {
	s := &Server{conns: map[net.Conn]struct{}{}}
	if opts != nil {
		s.opts = *opts
	}
	if err := s.defaults(); err != nil {
		return nil, err
	}
	var err error
	if s.files, err = os.OpenRoot(s.Dir); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	s.Addr = s.listener.Addr().String()
	s.done = make(chan struct{})
	s.tasks.Go(s.accept)
	return s, nil
}

func (s *Server) defaults() error {
	var err error
	if s.Signer, err = newSigner(); err != nil {
		return err
	}
	if s.opts.HostKey == nil {
		if s.opts.HostKey, err = newSigner(); err != nil {
			return err
		}
	}
	s.HostKey = s.opts.HostKey.PublicKey()
	s.authorized = append([]ssh.PublicKey{s.Signer.PublicKey()}, s.opts.AuthorizedKeys...)
	if s.opts.Handler == nil {
		s.opts.Handler = func(context.Context, *Exec) int { return 127 }
	}
	if s.opts.MaxSessions == 0 {
		s.opts.MaxSessions = 10
	}
	if s.Dir = s.opts.Dir; s.Dir == "" {
		s.Dir, err = os.MkdirTemp("", "sshtest-")
	}
	return err
}

func newSigner() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}

// Target returns what a client needs to log in as root.
func (s *Server) Target() sshexec.Target {
	return sshexec.Target{
		Addr:     s.Addr,
		User:     "root",
		Signers:  []ssh.Signer{s.Signer},
		HostKeys: sshexec.Pinned(s.HostKey),
	}
}

// Accepted is how many TCP connections there were so far.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Sessions is how many sessions are open now.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

// CloseConns cuts all connections, as a network does that fails.
func (s *Server) CloseConns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// Close ends the server, its connections and its commands.
func (s *Server) Close() {
	close(s.done)
	_ = s.listener.Close()
	s.CloseConns()
	s.runs.endAll()
	s.tasks.Wait()
	_ = s.files.Close()
	if s.opts.Dir == "" {
		_ = os.RemoveAll(s.Dir)
	}
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		conn := &faultyConn{Conn: raw, server: s}
		s.mu.Lock()
		s.accepted++
		s.conns[conn] = struct{}{}
		s.mu.Unlock()
		s.tasks.Go(func() {
			s.serve(conn)
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
		select {
		case <-s.done: // came while Close was at work
			_ = conn.Close()
		default:
		}
	}
}

func (s *Server) serve(raw net.Conn) {
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if s.opts.AnyKey {
				return nil, nil
			}
			for _, known := range s.authorized {
				if string(known.Marshal()) == string(key.Marshal()) {
					return nil, nil
				}
			}
			return nil, errors.New("the key may not log in")
		},
	}
	hostKey := s.opts.HostKey
	if f := s.current(); f.HostKey != nil {
		hostKey = f.HostKey
	}
	config.AddHostKey(hostKey)
	conn, channels, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer cancel()
	tasks.Go(func() { s.answer(requests) })
	open := make(chan struct{}, s.opts.MaxSessions)
	for channel := range channels {
		if channel.ChannelType() != "session" || s.current().RefuseSessions {
			_ = channel.Reject(ssh.Prohibited, "refused")
			continue
		}
		select {
		case open <- struct{}{}:
		default:
			_ = channel.Reject(ssh.ResourceShortage, "too many sessions")
			continue
		}
		tasks.Go(func() {
			s.count(+1)
			s.session(ctx, conn.User(), channel, sync.OnceFunc(func() {
				s.count(-1)
				<-open
			}))
		})
	}
}

// answer answers the keepalive probes as sshd does: it does not know them.
func (s *Server) answer(requests <-chan *ssh.Request) {
	for req := range requests {
		if req.WantReply && !s.current().IgnoreKeepalive {
			_ = req.Reply(false, nil)
		}
	}
}

func (s *Server) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions += n
}

package sshexec

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// PoolConfig configures a Pool. Its zero value works.
type PoolConfig struct {
	// MaxConns is how many connections to one server there may be. Defaults
	// to 2. Urgent clients may add some for a moment.
	MaxConns int
	// MaxSessions is how many sessions run on a connection at once. Defaults
	// to 8: sshd allows ten, and two are kept for stopping things.
	MaxSessions int
	// IdleTimeout is how long a connection without sessions is kept. Defaults
	// to 5 minutes; negative means for ever.
	IdleTimeout time.Duration
	// Dialled is told of each connection that was tried, how long that took and
	// how it failed, if it did. It has to return at once.
	Dialled func(server string, took time.Duration, err error)
	// Keepalive is the time between two probes of a connection, and how long
	// the answer may take. Defaults to 15 s; negative means no probes.
	Keepalive time.Duration
}

const reserveSessions = 2

// Pool keeps connections to servers and shares them among all who ask. An idle
// server costs one connection until IdleTimeout, and then nothing.
type Pool struct {
	cfg   PoolConfig
	tasks sync.WaitGroup

	mu      sync.Mutex // guards servers, closed and what they hold
	servers map[string]*server
	closed  bool
}

// NewPool makes a Pool. Close it in the end.
func NewPool(cfg PoolConfig) *Pool {
	if cfg.MaxConns <= 0 {
		cfg.MaxConns = 2
	}
	if cfg.MaxSessions <= 0 {
		cfg.MaxSessions = 8
	}
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = 5 * time.Minute
	}
	if cfg.Keepalive == 0 {
		cfg.Keepalive = 15 * time.Second
	}
	return &Pool{cfg: cfg, servers: map[string]*server{}}
}

// Client returns a client for the server named key, without connecting.
// Whenever a connection is needed, target is asked for it, with a context that
// ends when the server is forgotten or the pool is closed. A session is taken
// from the pool for each command and each transfer, and waited for when all
// are busy.
func (p *Pool) Client(key string, target func(context.Context) (Target, error)) *Client {
	return &Client{pool: p, key: key, target: target}
}

// Forget closes the connections to a server, as is due when its key changed.
// What runs on them is lost; the next session asks for the target anew.
func (p *Pool) Forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if srv := p.servers[key]; srv != nil {
		srv.forget()
	}
}

// Renew has the next session on a server ask for the target anew, as is due when
// another key takes the place of the one that opened it. What runs goes on, and each
// connection that there is closes with its last session.
func (p *Pool) Renew(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if srv := p.servers[key]; srv != nil {
		srv.renew()
	}
}

// Close closes all connections and waits until they are gone.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, srv := range p.servers {
		srv.forget()
	}
	p.mu.Unlock()
	p.tasks.Wait()
	return nil
}

// errForgotten says that a server was forgotten while a session was waited for.
var errForgotten = errors.New("the server was forgotten")

// enter returns the server named key; each call is paired with one leave.
func (p *Pool) enter(key string) (*server, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	srv := p.servers[key]
	if srv == nil {
		srv = p.newServer(key)
	}
	srv.users++
	return srv, nil
}

func (p *Pool) newServer(key string) *server {
	srv := &server{
		pool:   p,
		key:    key,
		slots:  semaphore.NewWeighted(int64(p.cfg.MaxConns * p.cfg.MaxSessions)),
		urgent: semaphore.NewWeighted(4),
	}
	p.servers[key] = srv
	return srv
}

// adopt puts a connection into an empty pool.
func (p *Pool) adopt(key string, c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newServer(key).add(c)
}

package sshexec

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"
)

// server is what a Pool has of one server. Its fields are guarded by Pool.mu.
// Whoever holds one of its slots finds a place on a connection, or may make one.
type server struct {
	pool    *Pool
	key     string
	slots   *semaphore.Weighted
	urgent  *semaphore.Weighted // dials for urgent sessions; sshd drops some of ten at once
	gone    bool                // forgotten, or dropped as it held nothing
	users   int                 // those between enter and leave
	conns   []*conn
	dialing *dialing
	last    *Target // of the newest connection
}

type targetFunc = func(context.Context) (Target, error)

// dialing is a connection in the making, awaited by all who need one.
type dialing struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error // valid when done is closed
	old    bool  // it was begun with a target that counts no more
}

// session opens a session on a connection with a free place, and waits for
// one. It pairs with enter.
func (s *server) session(ctx context.Context, target targetFunc) (*session, error) {
	defer s.leave()
	if err := s.slots.Acquire(ctx, 1); err != nil {
		return nil, &ConnectError{Addr: s.key, Stage: StageSession, Err: err}
	}
	c, err := s.take(ctx, target)
	if err != nil {
		s.slots.Release(1)
		return nil, err
	}
	opened, err := c.open(ctx, func() {
		s.giveBack(c, &c.busy)
		s.slots.Release(1)
	})
	if errors.Is(err, errStale) {
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		s.remove(c)
	}
	return opened, err
}

// take returns a connection with a free place, which is then taken.
func (s *server) take(ctx context.Context, target targetFunc) (*conn, error) {
	return s.await(ctx, target, func(c *conn) bool {
		free := c.busy < s.pool.cfg.MaxSessions
		if free {
			s.occupy(c, &c.busy)
		}
		return free
	})
}

// await returns a connection that does, and dials while there is none. does is
// called under Pool.mu.
func (s *server) await(ctx context.Context, target targetFunc, does func(*conn) bool) (*conn, error) {
	for {
		s.pool.mu.Lock()
		if s.gone {
			s.pool.mu.Unlock()
			return nil, errForgotten
		}
		for _, c := range s.conns {
			if !c.old && does(c) {
				s.pool.mu.Unlock()
				return c, nil
			}
		}
		d := s.dialing
		if d == nil && target != nil {
			d = s.dial(ctx, target)
		}
		s.pool.mu.Unlock()
		if d == nil {
			return nil, &ConnectError{Addr: s.key, Stage: StageSession, Err: ErrClosed}
		}
		select {
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, &ConnectError{Addr: s.key, Stage: StageTCP, Err: context.Cause(ctx)}
		}
	}
}

// dial starts to connect for everyone who waits. It outlives the one who asked
// first, and ends when nobody waits any more. A failure is not kept. The caller
// holds Pool.mu.
func (s *server) dial(ctx context.Context, target targetFunc) *dialing {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &dialing{cancel: cancel, done: make(chan struct{})}
	s.dialing = d
	s.pool.tasks.Go(func() {
		defer cancel()
		c, err := s.connect(ctx, target)
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		switch {
		case s.gone:
			d.err = errForgotten
			if err == nil {
				c.close()
			}
		case err != nil:
			d.err = err
		default:
			c.old = d.old
			s.add(c)
		}
		s.dialing = nil
		close(d.done)
	})
	return d
}

func (s *server) connect(ctx context.Context, target targetFunc) (*conn, error) {
	t, err := target(ctx)
	if err != nil {
		return nil, &ConnectError{Addr: s.key, Stage: StageTCP, Err: err}
	}
	began := time.Now()
	c, err := dial(ctx, t)
	if s.pool.cfg.Dialled != nil && ctx.Err() == nil {
		s.pool.cfg.Dialled(s.key, time.Since(began), err)
	}
	return c, err
}

// urgentSession opens a session without waiting for a place. It pairs with
// enter.
func (s *server) urgentSession(ctx context.Context, target targetFunc) (*session, error) {
	defer s.leave()
	const patience = 2 * time.Second // with a connection that may be dead
	c, last := s.takeReserve()
	if c != nil {
		short, cancel := context.WithTimeout(ctx, patience)
		opened, err := c.open(short, func() { s.giveBack(c, &c.reserve) })
		cancel()
		if err == nil {
			return opened, nil
		}
	}
	if target == nil {
		if last == nil {
			return nil, &ConnectError{Addr: s.key, Stage: StageSession, Err: ErrClosed}
		}
		target = func(context.Context) (Target, error) { return *last, nil }
	}
	if err := s.urgent.Acquire(ctx, 1); err != nil {
		return nil, &ConnectError{Addr: s.key, Stage: StageTCP, Err: err}
	}
	own, err := s.connect(ctx, target)
	s.urgent.Release(1)
	if err != nil {
		return nil, err
	}
	own.private = true
	return own.open(ctx, own.close)
}

// takeReserve returns a connection whose reserve is not used up, if any, and
// how the newest connection was made.
func (s *server) takeReserve() (*conn, *Target) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, c := range s.conns {
		if c.reserve < reserveSessions {
			s.occupy(c, &c.reserve)
			return c, s.last
		}
	}
	return nil, s.last
}

// occupy takes a place on a connection; each call is paired with one giveBack.
// The caller holds Pool.mu.
func (s *server) occupy(c *conn, places *int) {
	s.users++
	*places++
	c.idle.Stop()
}

func (s *server) giveBack(c *conn, places *int) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	*places--
	s.rest(c)
	s.users--
	s.tidy()
}

func (s *server) leave() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.users--
	s.tidy()
}

// add takes a new connection in. The caller holds Pool.mu.
func (s *server) add(c *conn) {
	s.conns = append(s.conns, c)
	s.last = &c.target
	c.idle = time.AfterFunc(math.MaxInt64, func() { s.closeIdle(c) })
	s.rest(c)
	if every := s.pool.cfg.Keepalive; every > 0 {
		c.probe = time.AfterFunc(every, func() { s.probe(c) })
	}
	s.pool.tasks.Go(func() {
		_ = c.ssh.Wait()
		s.pool.mu.Lock()
		defer s.pool.mu.Unlock()
		s.remove(c)
	})
}

func (s *server) probe(c *conn) {
	every := s.pool.cfg.Keepalive
	if !c.alive(every) {
		c.close()
		return
	}
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if slices.Contains(s.conns, c) {
		c.probe.Reset(every)
	}
}

// rest lets the time begin after which a connection without sessions is closed;
// an old one is closed at once. The caller holds Pool.mu.
func (s *server) rest(c *conn) {
	if c.busy+c.reserve > 0 || !slices.Contains(s.conns, c) {
		return
	}
	if c.old {
		s.remove(c)
		return
	}
	if s.pool.cfg.IdleTimeout < 0 {
		return
	}
	c.freed = time.Now()
	c.idle.Reset(s.pool.cfg.IdleTimeout)
}

func (s *server) closeIdle(c *conn) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	// A session may have come and gone while the timer fired.
	if c.busy+c.reserve == 0 && time.Since(c.freed) >= s.pool.cfg.IdleTimeout {
		s.remove(c)
	}
}

// remove closes a connection. The caller holds Pool.mu.
func (s *server) remove(c *conn) {
	s.conns = slices.DeleteFunc(s.conns, func(other *conn) bool { return other == c })
	c.idle.Stop()
	if c.probe != nil {
		c.probe.Stop()
	}
	c.close()
	s.tidy()
}

// renew leaves the connections to what runs on them. The caller holds Pool.mu.
func (s *server) renew() {
	if s.dialing != nil {
		s.dialing.old = true
	}
	for _, c := range slices.Clone(s.conns) {
		c.old = true
		s.rest(c)
	}
}

// forget closes all connections and makes room for a new server of the same
// key. The caller holds Pool.mu.
func (s *server) forget() {
	s.drop()
	for _, c := range slices.Clone(s.conns) {
		s.remove(c)
	}
}

// tidy drops a server that holds nothing. The caller holds Pool.mu.
func (s *server) tidy() {
	if s.users == 0 && len(s.conns) == 0 && !s.gone {
		s.drop()
	}
}

// drop takes a server out of the pool that is not gone yet. The caller holds
// Pool.mu.
func (s *server) drop() {
	s.gone = true
	delete(s.pool.servers, s.key)
	if s.dialing != nil {
		s.dialing.cancel()
	}
}

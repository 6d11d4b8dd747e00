package sshexec

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// conn is one SSH connection. The fields after target belong to the pool.
type conn struct {
	ssh    *ssh.Client
	wire   *wire
	target Target

	busy    int // sessions that were waited for
	reserve int // sessions that could not wait
	freed   time.Time
	idle    *time.Timer
	probe   *time.Timer
	private bool // made for one session, which closes it
	old     bool // takes no more sessions that can wait
}

func (c *conn) close() { _ = c.ssh.Close() }

// errStale says that a connection opens no sessions any more.
var errStale = errors.New("the connection is gone")

// session is an open SSH session in which nothing runs yet.
type session struct {
	ch      ssh.Channel
	reqs    <-chan *ssh.Request
	conn    *conn
	release func() // gives the place in the pool back
}

// open opens a session and calls release, whatever happens, when the server
// has no session any more.
func (c *conn) open(ctx context.Context, release func()) (*session, error) {
	type result struct {
		*session
		err error
	}
	done := make(chan result, 1)
	go func() { // OpenChannel takes no context
		ch, reqs, err := c.openChannel()
		if err != nil {
			release()
		}
		done <- result{&session{ch, reqs, c, release}, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			if refused := (*ssh.OpenChannelError)(nil); !errors.As(r.err, &refused) {
				r.err = fmt.Errorf("%w: %w", errStale, r.err)
			}
			return nil, &ConnectError{Addr: c.target.Addr, Stage: StageSession, Err: r.err}
		}
		return r.session, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.close()
				r.discard()
			}
		}()
		return nil, &ConnectError{Addr: c.target.Addr, Stage: StageSession, Err: context.Cause(ctx)}
	}
}

// openChannel asks again when it is refused: sshd may not have cleared away
// a session that is closed already, and has done so a round trip later.
func (c *conn) openChannel() (ssh.Channel, <-chan *ssh.Request, error) {
	for try := 1; ; try++ {
		ch, reqs, err := c.ssh.OpenChannel("session", nil)
		var refused *ssh.OpenChannelError
		if try == 3 || !errors.As(err, &refused) || refused.Reason == ssh.Prohibited {
			return ch, reqs, err
		}
	}
}

// close asks the server to end the session. What runs in it runs on.
func (s *session) close() {
	_ = s.ch.Close()
	if s.conn.private {
		s.conn.close()
	}
}

// discard waits until the server has closed the session too, or the connection
// is gone, and gives its place back.
func (s *session) discard() {
	ssh.DiscardRequests(s.reqs)
	s.release()
}

// alive asks the server for a sign of life. A reply that says no is one.
func (c *conn) alive(timeout time.Duration) bool {
	answered := make(chan error, 1)
	go func() { // SendRequest takes no context
		_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case err := <-answered:
		return err == nil
	case <-timer.C:
		return false
	}
}

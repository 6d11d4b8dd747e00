package sshexec

import (
	"context"
	"errors"
)

// Connect waits until there is a connection to the server, and dials as a
// command would, together with all others who wait for one. It takes no
// session: a caller can wait for a slow server with it before it takes up what
// is scarce. The connection may be lost again by the time of a command, which
// then dials itself. The error is the one that a command would have returned.
func (c *Client) Connect(ctx context.Context) error {
	return retry(ctx, func() error {
		srv, err := c.pool.enter(c.key)
		if err != nil {
			return err
		}
		return srv.connected(ctx, c.target)
	})
}

// connected waits until there is a connection, busy or not. It pairs with
// enter.
func (s *server) connected(ctx context.Context, target targetFunc) error {
	defer s.leave()
	_, err := s.await(ctx, target, func(*conn) bool { return true })
	return err
}

// retry tries again when the server was forgotten or a pooled connection turned
// out to be dead.
func retry(ctx context.Context, try func() error) error {
	const tries = 3
	for n := 1; ; n++ {
		err := try()
		again := errors.Is(err, errForgotten) || errors.Is(err, errStale)
		if !again || n == tries || ctx.Err() != nil {
			return err
		}
	}
}

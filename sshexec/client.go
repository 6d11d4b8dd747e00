package sshexec

import "context"

// Client runs commands and moves files on one server. It comes from [Dial] or
// from [Pool.Client], and is safe for concurrent use.
type Client struct {
	pool   *Pool
	key    string
	target targetFunc // nil: never dial again
	owned  bool       // the pool is this client's alone
	urgent bool
}

// Dial connects to a server. The Client holds that one connection; when it is
// lost, the client's methods fail. The error is a *ConnectError with the stage
// that was reached; it wraps a *HostKeyError when the server's key changed.
func Dial(ctx context.Context, target Target) (*Client, error) {
	conn, err := dial(ctx, target)
	if err != nil {
		return nil, err
	}
	pool := NewPool(PoolConfig{MaxConns: 1, IdleTimeout: -1})
	pool.adopt(target.Addr, conn)
	return &Client{pool: pool, key: target.Addr, owned: true}, nil
}

// Urgent returns a Client on the same server that never waits for a free
// session: it uses those kept in reserve or a connection of its own. It is
// meant for stopping something.
func (c *Client) Urgent() *Client {
	urgent := *c
	urgent.urgent = true
	return &urgent
}

// Close closes the connection of a Client made by Dial. A Client of a Pool has
// nothing to close.
func (c *Client) Close() error {
	if !c.owned {
		return nil
	}
	return c.pool.Close()
}

// session opens a session. Whatever error it returns, nothing ran.
func (c *Client) session(ctx context.Context) (opened *session, err error) {
	err = retry(ctx, func() error {
		srv, err := c.pool.enter(c.key)
		if err != nil {
			return err
		}
		if c.urgent {
			opened, err = srv.urgentSession(ctx, c.target)
		} else {
			opened, err = srv.session(ctx, c.target)
		}
		return err
	})
	return opened, err
}

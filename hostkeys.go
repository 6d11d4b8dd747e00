package forge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/hostkeys"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// renewHostKey replaces the host key that a server was given at create by one that
// was made on it: whoever reads the user data has the given one. The server is
// known by both of them until it was seen to show the new one, so that the work can
// be broken off anywhere, and gone on with. Afterwards nothing accepts the given one.
func (c *core) renewHostKey(ctx context.Context, w *work, srv *Server) error {
	if len(srv.InjectedHostKey) == 0 {
		return nil
	}
	given, err := c.givenHostKey(ctx, srv)
	if err != nil {
		return err
	}
	if !slices.Contains(srv.HostKeys, authorizedKey(given)) { // another was pinned since
		return w.knowBy(ctx, given)
	}
	if err := w.stage(ctx, "host keys"); err != nil {
		return err
	}
	made, err := w.change(ctx, srv, hostkeys.Make(given))
	if err != nil {
		return err
	}
	key, err := hostkeys.Made(made.Stdout)
	if err != nil {
		return err
	}
	if err := w.knowBy(ctx, given, given, key); err != nil {
		return err
	}
	if _, err := w.change(ctx, srv, hostkeys.Use(key)); err != nil {
		return err
	}
	if err := c.showsHostKey(ctx, w, srv, given, key); err != nil {
		return err
	}
	if err := w.knowBy(ctx, given, key); err != nil {
		return err
	}
	return w.say(ctx, "the machine has a new host key now: "+ssh.FingerprintSHA256(key))
}

// givenHostKey is the public half of the key that the server was given.
func (c *core) givenHostKey(ctx context.Context, srv *Server) (ssh.PublicKey, error) {
	private, err := c.unseal(ctx, srv, "host key", srv.InjectedHostKey, hostKeyPlace(srv.ID))
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey([]byte(private.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("read the host key of server %s: %w", srv.ID, err)
	}
	return signer.PublicKey(), nil
}

// change runs a command that changes the server, and may be repeated.
func (w *work) change(ctx context.Context, srv *Server, cmd sshexec.Command) (*sshexec.Result, error) {
	cmd.Fence = w.fence
	result, err := w.client(srv).Run(ctx, cmd)
	return result, unreachable(err)
}

// knowBy makes the server known by these keys, if it still is by the given one. The
// given one is forgotten when it is none of them.
func (w *work) knowBy(ctx context.Context, given ssh.PublicKey, keys ...ssh.PublicKey) error {
	lines := make([]string, len(keys))
	for i, key := range keys {
		lines[i] = authorizedKey(key)
	}
	return w.update(ctx, func(t *txn, a *Action) error {
		srv, err := t.Servers().Get(w.action.Server)
		if err != nil || slices.Equal(srv.HostKeys, lines) {
			return gone(err)
		}
		if slices.Contains(srv.HostKeys, authorizedKey(given)) {
			srv.HostKeys = lines
		}
		if !slices.Contains(srv.HostKeys, authorizedKey(given)) {
			srv.InjectedHostKey = nil
		}
		srv.Updated = t.Now()
		if err := t.Servers().Update(srv); err != nil {
			return err
		}
		a.Tries, w.action.Tries = 0, 0
		return t.Actions().Update(a)
	})
}

// showsHostKey connects anew, to a server that shows the new key and no other. Its
// SSH server may take a moment to reload; whoever shows the given key for longer is
// somebody else.
func (c *core) showsHostKey(ctx context.Context, w *work, srv *Server, given, key ssh.PublicKey) error {
	c.pool.Forget(srv.ID)
	client := c.pool.Client(srv.ID, func(ctx context.Context) (sshexec.Target, error) {
		target, err := c.target(ctx, srv.ID)
		target.HostKeys = sshexec.Pinned(key)
		return target, err
	})
	_, err := client.Run(ctx, sshexec.Command{Script: "true"})
	const looks = 5
	var shown *sshexec.HostKeyError
	if errors.As(err, &shown) && shown.Got == ssh.FingerprintSHA256(given) && w.action.Tries < looks {
		return &waiting{least: time.Second, most: 5 * time.Second, why: err}
	}
	return unreachable(err)
}

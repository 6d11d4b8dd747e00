package forge

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// stageControlKey is the stage in which a bare server comes to know forge's key.
const stageControlKey = "control key"

// hasStack refuses what takes a stack, on a server without one.
func (s *Server) hasStack(what string) error {
	if s.Bare {
		return badState("the server is bare: nothing is installed on it, and it has no %s", what)
	}
	return nil
}

// installBare waits for a machine and puts the control key where its sshd looks
// for those of the login user. What was done is found done, so that it can be
// broken off anywhere.
func (c *core) installBare(ctx context.Context, w *work, srv *Server) error {
	if w.action.Stage != stageControlKey {
		if err := c.firstBoot(ctx, w, srv); err != nil {
			return err
		}
		if err := c.renewHostKey(ctx, w, srv); err != nil {
			return err
		}
		if err := w.stage(ctx, stageControlKey); err != nil {
			return err
		}
	}
	change := srv.loginKeys()
	change.Add = []authorizedkeys.Key{{ID: srv.controlMark(), Line: srv.PublicKey}}
	if err := c.changeKeys(ctx, w, srv, change); err != nil {
		return unreachable(err)
	}
	control, err := c.controlSigner(ctx, srv, srv.ControlKey)
	if err != nil {
		return err
	}
	if err := c.logsIn(ctx, srv, control); err != nil {
		if refused(err) {
			return fmt.Errorf("the control key is in the authorized_keys of %s, where the machine's sshd does not look for it: %w", srv.User, err)
		}
		return unreachable(err)
	}
	c.pool.Forget(srv.ID) // which may have another key
	return w.say(ctx, "the machine lets forge in by its control key, as "+srv.User)
}

// controlMark marks the line with a server's control key. It is the id of no key
// that is granted.
func (s *Server) controlMark() string { return "control-" + s.ID }

// controlLine is the line that lets forge in.
func (s *Server) controlLine() string { return s.PublicKey + " forge:" + s.controlMark() }

// loginKeys is a change of the keys that let forge in, wherever the server looks
// for those.
func (s *Server) loginKeys() authorizedkeys.Change {
	return authorizedkeys.Change{User: s.User, Home: s.Bare}
}

// changeKeys changes keys on a server by one command. It may be repeated.
func (c *core) changeKeys(ctx context.Context, w *work, srv *Server, changes ...authorizedkeys.Change) error {
	cmd, err := authorizedkeys.Changes(changes).Command()
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	_, err = c.client(srv).Run(ctx, cmd)
	return authorizedkeys.Explain(err)
}

// settleKeys has the file of keys of the user who runs it, and its name, survive a
// loss of power: who was let in once is let in afterwards.
const settleKeys = `file=$(readlink -f -- "${1:-$HOME/.ssh/authorized_keys}"); sync -- "$file" "${file%/*}"`

// logsIn connects anew, with this key alone, and makes sure that the server stays
// so.
func (c *core) logsIn(ctx context.Context, srv *Server, key ssh.Signer) error {
	target, err := c.target(ctx, srv.ID)
	if err != nil {
		return err
	}
	target.Signers = []ssh.Signer{key}
	client, err := sshexec.Dial(ctx, target)
	if err != nil {
		return err
	}
	cmd := sshexec.Command{Script: settleKeys, User: srv.User}
	if !srv.Bare {
		cmd.Args = []string{"/etc/ssh/authorized_keys.d/" + srv.User}
	}
	_, err = client.Run(ctx, cmd)
	return errors.Join(err, client.Close())
}

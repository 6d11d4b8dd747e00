package forge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/provider"
)

// RotateControl replaces the control keys of servers, by which forge logs in. The
// action has a part for each server; Server.ControlKeyMade says since when each has
// its key. A server takes the old key until it was seen to take the new one, and
// forge goes on from there whatever breaks off the work. What runs on the server
// goes on, over the connections that there are.
//
// Servers that are not active are refused where they are named, and passed over
// otherwise. A key is not rotated that was made after this was asked for.
//
// The first control key of a machine at a cloud stays in its metadata, by which the
// provider's own tools may bring it back when they write the machine's disk anew.
func (s *Keys) RotateControl(ctx context.Context, on Selector) (*Action, error) {
	if _, err := s.f.ask(ctx, "Keys.RotateControl", on.subjects()...); err != nil {
		return nil, err
	}
	if err := on.check(); err != nil {
		return nil, asInvalid(err)
	}
	return s.f.everywhere(ctx, on, KindRotateKeys, KindRotateKey, Input{})
}

// The stages of a rotation. How far it came is in the server's record: the next key
// is there from before the server knows it until the server has let forge in by it,
// and the old one from then on until the server has it no more.
const (
	stageNewKey = "new key"
	stageOldKey = "old key"
)

// rotateKey goes on from what the record says. Where an earlier rotation ended
// before the old key was gone, that comes first.
func (c *core) rotateKey(ctx context.Context, w *work) error {
	srv, err := w.server(ctx)
	if err != nil {
		return err
	}
	if err := srv.mustBe(ServerActive); err != nil {
		return err
	}
	if w.action.Stage == "" {
		if err := w.stage(ctx, stageNewKey); err != nil {
			return err
		}
	}
	if err := c.reach(ctx, w, srv); err != nil {
		return err
	}
	if !srv.ControlKeyMade.After(w.action.Created) {
		if srv.OldPublicKey != "" {
			if err := c.takeOldKey(ctx, w, srv); err != nil {
				return err
			}
			if err := w.update(ctx, func(t *txn, _ *Action) error { return forgetOldKey(t, srv) }); err != nil {
				return err
			}
		}
		if srv, err = c.useNextKey(ctx, w, srv); err != nil {
			return err
		}
	}
	if srv.OldPublicKey != "" {
		if err := c.takeOldKey(ctx, w, srv); err != nil {
			return err
		}
	}
	w.done = func(t *txn) error { return forgetOldKey(t, srv) }
	return nil
}

// useNextKey gives the server another key, and changes over to it when it was seen
// to open the server.
func (c *core) useNextKey(ctx context.Context, w *work, srv *Server) (*Server, error) {
	if err := w.stage(ctx, stageNewKey); err != nil {
		return nil, err
	}
	srv, err := c.makeNextKey(ctx, w, srv)
	if err != nil {
		return nil, err
	}
	change := srv.loginKeys()
	change.Add = []authorizedkeys.Key{{ID: srv.controlMark(), Line: srv.NextPublicKey}}
	if err := c.changeKeys(ctx, w, srv, change); err != nil {
		return nil, err
	}
	next, err := c.controlSigner(ctx, srv, srv.NextControlKey)
	if err != nil {
		return nil, err
	}
	if err := c.logsIn(ctx, srv, next); err != nil {
		return nil, fmt.Errorf("the old control key stays in use, as the new one does not let forge in: %w", err)
	}
	return w.changeOver(ctx, srv)
}

// makeNextKey makes the next key, unless there is one, and stores it before it is
// anywhere else.
func (c *core) makeNextKey(ctx context.Context, w *work, srv *Server) (*Server, error) {
	if len(srv.NextControlKey) > 0 {
		return srv, nil
	}
	public, private, err := newKeypair("forge " + srv.ID)
	if err != nil {
		return nil, err
	}
	sealed, err := c.Sealer.Seal(ctx, private, controlKeyPlace(srv.ID))
	if err != nil {
		return nil, err
	}
	return w.changeKey(ctx, srv.ID, "", func(t *txn, srv *Server) (said string) {
		srv.NextPublicKey, srv.NextControlKey = public, sealed
		return fmt.Sprintf("the control key %s %s; the next one is %s",
			fingerprint(srv.PublicKey), age(srv.ControlKeyMade, t.Now()), fingerprint(public))
	})
}

// changeOver makes the next key the one that forge logs in by, and forgets the
// private half of the one before.
func (w *work) changeOver(ctx context.Context, verified *Server) (*Server, error) {
	return w.changeKey(ctx, verified.ID, stageOldKey, func(t *txn, srv *Server) (said string) {
		srv.OldPublicKey, srv.PublicKey, srv.ControlKey = srv.PublicKey, srv.NextPublicKey, srv.NextControlKey
		srv.NextPublicKey, srv.NextControlKey = "", nil
		srv.ControlKeyMade = t.Now()
		return "the server lets forge in by the new control key; the old one is taken away"
	})
}

// changeKey changes the record of the server's control keys, and says so in the
// log.
func (w *work) changeKey(ctx context.Context, id, stage string, change func(*txn, *Server) (said string)) (changed *Server, err error) {
	err = w.update(ctx, func(t *txn, a *Action) error {
		srv, err := t.Servers().Get(id)
		if err != nil {
			return gone(err)
		}
		said := change(t, srv)
		srv.Updated = t.Now()
		if err := t.Servers().Update(srv); err != nil {
			return err
		}
		if err := say(t, a, LineSystem, said); err != nil {
			return err
		}
		if stage != "" {
			a.Stage = stage
		}
		w.action.Stage, w.action.Cursor = a.Stage, a.Cursor
		changed = srv
		return t.Actions().Update(a)
	})
	return changed, err
}

// takeOldKey takes the old key away from the server, over a connection that was
// made with the new one. A file in a home that sshd does not read is looked at too:
// it counts again when the machine is given back.
func (c *core) takeOldKey(ctx context.Context, w *work, srv *Server) error {
	if err := w.stage(ctx, stageOldKey); err != nil {
		return err
	}
	c.pool.Renew(srv.ID)
	old := srv.loginKeys()
	old.Remove = []string{srv.OldPublicKey}
	changes := authorizedkeys.Changes{old}
	if !old.Home {
		old.Home = true
		changes = append(changes, old)
	}
	cmd, err := changes.Command()
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	result, err := c.client(srv).Run(ctx, cmd)
	if err = authorizedkeys.Explain(err); errors.Is(err, authorizedkeys.ErrNoHome) && !srv.Bare {
		err = otherTrouble(result.Stdout)
	}
	if err != nil {
		return err
	}
	control, err := c.controlSigner(ctx, srv, srv.ControlKey)
	if err != nil {
		return err
	}
	if err := c.logsIn(ctx, srv, control); err != nil {
		return err
	}
	return c.cleanOldKey(ctx, w, srv)
}

// otherTrouble is what went wrong with a change besides that a home is missing.
func otherTrouble(stdout []byte) error {
	outcomes, err := authorizedkeys.Outcomes(stdout)
	for _, o := range outcomes {
		if o.Err != nil && !errors.Is(o.Err, authorizedkeys.ErrNoHome) {
			err = errors.Join(err, o.Err)
		}
	}
	return err
}

// cleanOldKey removes the entry of the old key at the provider, which needs it for
// nothing any more. It opens no server, so that it is no failure where it stays.
func (c *core) cleanOldKey(ctx context.Context, w *work, srv *Server) error {
	p, err := c.provider(srv.Provider)
	if err != nil {
		return err
	}
	cleaner, ok := p.(provider.Cleaner)
	if !ok {
		return nil
	}
	err = cleaner.Clean(ctx, provider.Spec{ID: srv.ID, AuthorizedKey: srv.OldPublicKey})
	if err == nil || errors.Is(err, provider.ErrRateLimit) || ctx.Err() != nil {
		return err
	}
	return w.say(ctx, w.presentable(ctx, "the entry of the old key stays at the provider: "+err.Error()))
}

// forgetOldKey notes that the server has the old key no more.
func forgetOldKey(t *txn, was *Server) error {
	srv, err := t.Servers().Get(was.ID)
	if err != nil || srv.OldPublicKey != was.OldPublicKey {
		return gone(err)
	}
	srv.OldPublicKey, srv.Updated = "", t.Now()
	return t.Servers().Update(srv)
}

// age says to people how old a key is.
func age(made, now time.Time) string {
	const day = 24 * time.Hour
	switch old := now.Sub(made); {
	case made.IsZero():
		return "is of unknown age"
	case old >= 2*day:
		return fmt.Sprintf("is %d days old", old/day)
	default:
		return fmt.Sprintf("is %s old", old.Truncate(time.Second))
	}
}

package forge

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
)

// syncKey puts a key into the file of its user, and revokeKey takes it out. Both
// look at the file first, so that another attempt does no harm.
func (c *core) syncKey(ctx context.Context, w *work) error { return c.editKeys(ctx, w, true) }

func (c *core) revokeKey(ctx context.Context, w *work) error { return c.editKeys(ctx, w, false) }

func (c *core) editKeys(ctx context.Context, w *work, add bool) error {
	srv, err := w.server(ctx)
	if err != nil {
		return err
	}
	var g *Grant
	var shared bool
	err = w.view(ctx, func(tx Tx) error {
		g, err = tx.Grants().Get(w.action.Subject.ID)
		if err != nil {
			return err
		}
		if g.Action != w.action.ID {
			return fmt.Errorf("%w: the grant was changed again since", errGone)
		}
		known, err := g.complete(tx)
		switch {
		case err == nil && !known:
			err = fmt.Errorf("%w: the key of the grant", errGone)
		case err == nil && !add:
			shared, err = g.shared(tx)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "keys"); err != nil {
		return err
	}
	if shared {
		return w.say(ctx, "the key stays, as another grant lets the same one in")
	}
	change := authorizedkeys.Change{User: w.action.Input.User, Home: srv.Bare}
	if add {
		change.Add = []authorizedkeys.Key{{ID: g.Key, Line: g.Public}}
	} else {
		change.Remove = []string{g.Public}
	}
	if err := c.reach(ctx, w, srv); err != nil {
		return err
	}
	if err := c.changeKeys(ctx, w, srv, change); err != nil {
		return err
	}
	if w.action.Kind == KindCutKey {
		return c.endSessions(ctx, w, srv, g)
	}
	return nil
}

// shared reports whether another grant lets the same key in, as another account or
// under another id.
func (g *Grant) shared(tx Tx) (bool, error) {
	for other, err := range grantsIn(tx, GrantFilter{Server: g.Server, User: g.User}) {
		if err != nil {
			return false, err
		}
		if _, err := other.complete(tx); err != nil {
			return false, err
		}
		if other.ID != g.ID && other.Wanted && material(other.Public) == material(g.Public) {
			return true, nil
		}
	}
	return false, nil
}

// endSessions ends what was begun with a key that opens nothing any more.
func (c *core) endSessions(ctx context.Context, w *work, srv *Server, g *Grant) error {
	if err := w.stage(ctx, "sessions"); err != nil {
		return err
	}
	cmd, err := authorizedkeys.Sessions{User: g.User, Fingerprints: []string{fingerprint(g.Public)}}.Command()
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	result, err := c.client(srv).Run(ctx, cmd)
	if err != nil {
		return fmt.Errorf("the key is revoked, and its sessions may go on: %w", authorizedkeys.Explain(err))
	}
	ended, err := authorizedkeys.Ended(result.Stdout)
	if err != nil {
		return err
	}
	return w.say(ctx, fmt.Sprintf("sessions that were ended: %d", ended))
}

// grantChanged keeps the grant in step with the action that it waits for.
func (c *core) grantChanged(t *txn, a *Action) error {
	g, err := orNone(t.Grants().Get(a.Subject.ID))
	if g == nil || g.Action != a.ID {
		return err
	}
	to := g.Status
	switch a.Status {
	case ActionFinished:
		if a.Kind == KindSyncKey {
			to, g.Synced, g.Revoked = GrantSynced, t.Now(), time.Time{}
		} else {
			to, g.Revoked = GrantRevoked, t.Now()
		}
	case ActionFailed, ActionCancelled:
		to, g.Failure = GrantFailed, failureText(a)
	}
	if err := moveGrant(t, g, to); err != nil {
		return err
	}
	return t.Grants().Update(g)
}

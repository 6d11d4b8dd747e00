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
	err = w.view(ctx, func(tx Tx) error {
		g, err = tx.Grants().Get(w.action.Subject.ID)
		if err == nil && g.Action != w.action.ID {
			err = fmt.Errorf("%w: the grant was changed again since", errGone)
		}
		if err == nil && g.Public == "" { // of an older version
			var key *Key
			if key, err = tx.Keys().Get(g.Key); err == nil {
				g.Public = key.Public
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "keys"); err != nil {
		return err
	}
	change := authorizedkeys.Change{User: w.action.Input.User, Home: srv.Bare}
	if add {
		change.Add = []authorizedkeys.Key{{ID: g.Key, Line: g.Public}}
	} else {
		change.Remove = []string{g.Public}
	}
	cmd, err := change.Command()
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	if err := c.reach(ctx, w, srv); err != nil {
		return err
	}
	_, err = c.client(srv).Run(ctx, cmd)
	return authorizedkeys.Explain(err)
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

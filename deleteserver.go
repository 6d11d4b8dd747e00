package forge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// startDelete cancels what is under way on a server and asks for its deletion,
// which waits until that has ended.
func (c *core) startDelete(t *txn, srv *Server, actor string, force bool) (*Action, error) {
	if srv.Status == ServerDeleting || srv.Status == ServerDeleted {
		return nil, badState("the server is %s already", srv.Status)
	}
	was := srv.Status
	if err := c.putServer(t, srv, ServerDeleting, ""); err != nil {
		return nil, err
	}
	for a, err := range actionsOf(t, ActionFilter{Server: srv.ID, Open: true}) {
		if err != nil {
			return nil, err
		}
		if a.Kind == KindDeploy && a.Status != ActionPending && !force {
			return nil, badState("a deployment runs on the server; cancel it or use force")
		}
		if err := c.cancelFresh(t, a.ID); err != nil {
			return nil, err
		}
		if c.existing(srv) {
			if err := c.stopSoon(t, a.ID); err != nil {
				return nil, err
			}
		}
	}
	locks, err := allLocks(t, srv.ID)
	if err != nil {
		return nil, err
	}
	a := &Action{Owner: srv.Owner, Actor: actor, Kind: KindDeleteServer, Server: srv.ID,
		Subject: Subject{SubjectServer, srv.ID}, Locks: locks, Input: Input{Force: force, Was: string(was)}}
	return a, c.insert(t, a)
}

// allLocks are the locks of a server and of the sites on it.
func allLocks(tx Tx, serverID string) ([]string, error) {
	locks := []string{serverLock(serverID)}
	for site, err := range sitesOn(tx, serverID) {
		if err != nil {
			return nil, err
		}
		locks = append(locks, siteLock(site.ID))
	}
	return locks, nil
}

// cancelFresh cancels an action as it is now: cancelling one may have changed
// another.
func (c *core) cancelFresh(t *txn, id string) error {
	a, err := t.Actions().Get(id)
	if err != nil {
		return err
	}
	return c.cancel(t, a)
}

// existing reports whether the server's machine existed before forge.
func (c *core) existing(srv *Server) bool {
	p, err := c.provider(srv.Provider)
	return err == nil && p.Properties().Existing
}

// stopSoon keeps an action that was cancelled from trying to stop its run for
// much longer than a deletion can wait: by its own deadline, that could be hours.
func (c *core) stopSoon(t *txn, id string) error {
	a, err := t.Actions().Get(id)
	if err != nil || a.Status != ActionCancelling || !a.Deadline.After(t.Now()) {
		return err
	}
	a.Deadline = t.Now()
	return t.Actions().Update(a)
}

// deleteServer removes the machine, or gives back one that existed before. Where
// its id was never learnt, as the answer to the create was lost, it is looked for
// by forge's label.
func (c *core) deleteServer(ctx context.Context, w *work) error {
	srv, p, err := w.machine(ctx)
	if err != nil {
		return err
	}
	if p.Properties().Existing {
		if err := c.giveBack(ctx, w, srv); err != nil {
			return err
		}
	}
	if err := w.stage(ctx, "provider"); err != nil {
		return err
	}
	ids := []string{srv.ProviderID}
	if srv.ProviderID == "" {
		if ids, err = w.lostMachines(ctx, p, srv.ID); err != nil {
			return err
		}
	}
	for _, id := range ids {
		if err := deleteMachine(ctx, p, id); err != nil {
			return err
		}
	}
	if cleaner, ok := p.(provider.Cleaner); ok {
		if err := cleaner.Clean(ctx, provider.Spec{ID: srv.ID, AuthorizedKey: srv.PublicKey}); err != nil {
			return err
		}
	}
	c.pool.Forget(srv.ID)
	var sites []*Site
	err = w.view(ctx, func(tx Tx) (err error) {
		sites, err = sitesReadBy(tx, srv.ID, "root") // all
		return err
	})
	for _, site := range sites {
		if err := w.dropDeliveries(ctx, site.ID); err != nil {
			return err
		}
	}
	return err
}

// deleteMachine removes a machine. A provider may need a while after it took the
// order, and what it still has is still paid for.
func deleteMachine(ctx context.Context, p provider.Provider, id string) error {
	if err := p.Delete(ctx, id); err != nil && !errors.Is(err, provider.ErrNotFound) {
		return err
	}
	if p.Properties().Existing || id == "" {
		return nil
	}
	_, err := p.Get(ctx, id)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return &waiting{least: time.Second, most: 10 * time.Second, why: fmt.Errorf("the provider still has machine %s", id)}
}

// lostMachines finds what was made for a server whose provider's id was never
// learnt: also a create that answered with an error may have made one, and a
// machine that was asked for a moment ago may not be listed yet.
func (w *work) lostMachines(ctx context.Context, p provider.Provider, specID string) ([]string, error) {
	asked := false
	err := w.view(ctx, func(tx Tx) error {
		made, err := tx.Actions().List(ActionFilter{Server: specID, Kind: KindProvision}, Page{})
		asked = slices.ContainsFunc(made, func(a *Action) bool { return !a.Started.IsZero() })
		return err
	})
	if err != nil || !asked || p.Properties().Existing {
		return nil, err
	}
	l, ok := p.(provider.Lister)
	switch {
	case !ok && w.action.Input.Force:
		return nil, nil
	case !ok:
		return nil, &failure{Failure{Reason: ReasonProvider, Message: "the provider never said which machine it made and " +
			"cannot list its machines: look for one labelled " + specID + " there, remove it, and delete with force"}}
	}
	machines, err := l.List(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, m := range machines {
		if m.SpecID == specID {
			ids = append(ids, m.ID)
		}
	}
	const looks = 4
	if len(ids) == 0 && w.action.Tries < looks {
		return nil, &waiting{least: 2 * time.Second, most: 15 * time.Second, why: errors.New("no machine is listed yet")}
	}
	return ids, nil
}

func (c *core) deleteServerChanged(t *txn, a *Action) error {
	switch a.Status {
	case ActionFailed, ActionCancelled:
		srv, err := orNone(t.Servers().Get(a.Subject.ID))
		if srv == nil || srv.Status != ServerDeleting {
			return err
		}
		if was := ServerStatus(a.Input.Was); a.Started.IsZero() && slices.Contains(serverMoves[ServerDeleting], was) {
			return c.putServer(t, srv, was, a.ID) // nobody began
		}
		srv.Failure = failureText(a)
		return c.putServer(t, srv, ServerError, a.ID)
	case ActionFinished:
		if err := c.removeSites(t, a); err != nil {
			return err
		}
		if err := c.removeGrants(t, a); err != nil {
			return err
		}
		return c.forgetServer(t, a)
	}
	return nil
}

// forgetServer keeps the record of a server that is gone, without its secrets.
func (c *core) forgetServer(t *txn, a *Action) error {
	srv, err := orNone(t.Servers().Get(a.Subject.ID))
	if srv == nil {
		return err
	}
	srv.ControlKey, srv.NextControlKey, srv.InjectedHostKey = nil, nil, nil
	srv.UserData, srv.DatabasePassword, srv.RedisPassword = nil, nil, nil
	srv.Failure = ""
	return c.putServer(t, srv, ServerDeleted, a.ID)
}

// removeSites removes the records of what was on a server that is gone.
func (c *core) removeSites(t *txn, a *Action) error {
	for {
		sites, err := t.Sites().List(SiteFilter{Server: a.Server}, Page{})
		if err != nil || len(sites) == 0 {
			return err
		}
		for _, site := range sites {
			if err := c.removeSite(t, site, a.ID); err != nil {
				return err
			}
		}
	}
}

// removeGrants removes what was granted on a server that is gone.
func (c *core) removeGrants(t *txn, a *Action) error {
	for {
		grants, err := t.Grants().List(GrantFilter{Server: a.Server}, Page{})
		if err != nil || len(grants) == 0 {
			return err
		}
		for _, g := range grants {
			t.Emit(Event{Owner: g.Owner, Type: EventRemoved, Subject: Subject{SubjectGrant, g.ID}, Action: a.ID, Server: a.Server})
			if err := t.Grants().Delete(g.ID); err != nil {
				return err
			}
		}
	}
}

func (c *core) removeSite(t *txn, site *Site, action string) error {
	t.Emit(Event{Owner: site.Owner, Type: EventRemoved, Subject: Subject{SubjectSite, site.ID}, Action: action, Server: site.Server})
	if err := t.Locks().Delete(siteLock(site.ID)); err != nil {
		return err
	}
	if err := removeDeliveries(t, site.ID); err != nil {
		return err
	}
	return t.Sites().Delete(site.ID)
}

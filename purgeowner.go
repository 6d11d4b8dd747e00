package forge

import (
	"context"
	"errors"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// PurgeOwner removes every record of an owner: servers, sites, keys, grants,
// deployments, webhooks that were received, and actions with their logs. Events,
// which hold no more than ids and states, stay until they are too old.
//
// It returns an error of class ErrState, which names what is in the way, while
// the owner has a server that is not deleted, be it archived, a key that is let
// in on somebody's server, or an action that has not ended. It removes a small
// part at a time: where it ends with an error in between, what was counted is
// gone, and another call goes on. A Forge with an owner can remove that one alone.
func (f *Forge) PurgeOwner(ctx context.Context, owner string) (total Purged, err error) {
	if _, err := f.ask(ctx, "Forge.PurgeOwner"); err != nil {
		return total, err
	}
	if _, err := validate.Owner("owner", owner); err != nil {
		return total, asInvalid(err)
	}
	if !f.sees(owner) {
		return total, notFound("owner", owner)
	}
	for {
		var some Purged
		err := f.core.update(ctx, func(t *txn) (err error) {
			if err := nothingInTheWay(t, owner); err != nil {
				return err
			}
			some, err = f.core.purgeSome(t, owner)
			return err
		})
		if err != nil || some == (Purged{}) {
			return total, err
		}
		total.add(some)
	}
}

// nothingInTheWay refuses to remove an owner that still has something.
func nothingInTheWay(tx Tx, owner string) error {
	open, err := firstAction(tx, ActionFilter{Owner: owner, Open: true})
	if err != nil {
		return err
	}
	if open != nil {
		return badState("%s %s of owner %q is still %s; cancel it first", open.Kind, open.ID, owner, open.Status)
	}
	servers, err := tx.Servers().List(ServerFilter{Owner: owner, Status: []ServerStatus{
		ServerPending, ServerCreating, ServerProvisioning, ServerActive, ServerError, ServerArchived, ServerDeleting,
	}}, Page{Limit: 1})
	if err != nil {
		return err
	}
	if len(servers) > 0 {
		return badState("server %s (%s) of owner %q is %s; delete it first", servers[0].ID, servers[0].Name, owner, servers[0].Status)
	}
	grants, err := tx.Grants().List(GrantFilter{Owner: owner, Status: liveGrants()}, Page{Limit: 1})
	if err != nil {
		return err
	}
	if len(grants) > 0 {
		return badState("key %s of owner %q is %s on server %s; revoke it first", grants[0].Key, owner, grants[0].Status, grants[0].Server)
	}
	return nil
}

// purgeSome removes some of an owner's records, until there are none.
func (c *core) purgeSome(t *txn, owner string) (p Purged, err error) {
	var errs [7]error
	p.Deliveries, errs[0] = drop(t.Deliveries(), DeliveryFilter{Owner: owner}, func(d *Delivery) error {
		return t.Deliveries().Delete(d.ID)
	})
	p.Deployments, errs[1] = drop(t.Deployments(), DeploymentFilter{Owner: owner}, func(d *Deployment) error {
		return t.Deployments().Delete(d.ID)
	})
	p.Actions, errs[2] = drop(t.Actions(), ActionFilter{Owner: owner}, func(a *Action) error {
		return t.Actions().Delete(a.ID)
	})
	p.Grants, errs[3] = drop(t.Grants(), GrantFilter{Owner: owner}, func(g *Grant) error {
		return t.Grants().Delete(g.ID)
	})
	p.Keys, errs[4] = drop(t.Keys(), KeyFilter{Owner: owner}, func(k *Key) error {
		t.Emit(Event{Owner: k.Owner, Type: EventRemoved, Subject: Subject{SubjectKey, k.ID}})
		return t.Keys().Delete(k.ID)
	})
	p.Sites, errs[5] = drop(t.Sites(), SiteFilter{Owner: owner}, func(s *Site) error { return c.removeSite(t, s, "") })
	p.Servers, errs[6] = drop(t.Servers(), ServerFilter{Owner: owner}, func(s *Server) error { return removeServer(t, s) })
	return p, errors.Join(errs[:]...)
}

// drop removes some of the records that a filter selects, and counts them.
func drop[T, F any](table Table[T, F], filter F, remove func(*T) error) (int, error) {
	records, err := table.List(filter, Page{Limit: purgeBatch})
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		if err := remove(r); err != nil {
			return 0, err
		}
	}
	return len(records), nil
}

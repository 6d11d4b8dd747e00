package forge

import (
	"context"
	"iter"
)

// Sites looks after sites.
type Sites struct{ f *Forge }

// Get returns a site.
func (s *Sites) Get(ctx context.Context, id string) (site *Site, err error) {
	if _, err := s.f.ask(ctx, "Sites.Get", Subject{SubjectSite, id}); err != nil {
		return nil, err
	}
	err = s.f.core.Store.View(ctx, func(tx Tx) error {
		site, err = s.f.site(tx, id)
		return err
	})
	return site, err
}

func (f *Forge) site(tx Tx, id string) (*Site, error) {
	site, err := tx.Sites().Get(id)
	return scoped(f, "site", id, site, func(s *Site) string { return s.Owner }, err)
}

// List returns a page of the sites that the filter selects.
func (s *Sites) List(ctx context.Context, filter SiteFilter, page Page) ([]*Site, error) {
	if _, err := s.f.ask(ctx, "Sites.List"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Site, error) { return tx.Sites().List(filter, page) })
}

// All yields every site that the filter selects, page by page.
func (s *Sites) All(ctx context.Context, filter SiteFilter) iter.Seq2[*Site, error] {
	return asking(ctx, s.f, "Sites.All", nil, func(f *Forge) iter.Seq2[*Site, error] {
		return all(func(page Page) ([]*Site, error) { return f.Sites.List(ctx, filter, page) },
			func(site *Site) string { return site.ID })
	})
}

// Create asks for a site on a server and returns it with the action that sets it
// up: its parts are create_site and, where there is a repository, the first
// deploy_site.
//
// Where the repository refuses the site's deploy key, the site is left in state
// SiteAwaitingAccess and the action is finished: give Site.DeployKey access and
// call Connect. With an idempotency key that was used before, it returns what
// was made then.
func (s *Sites) Create(ctx context.Context, serverID string, opts SiteOpts) (*Site, *Action, error) {
	if _, err := s.f.ask(ctx, "Sites.Create", Subject{SubjectServer, serverID}); err != nil {
		return nil, nil, err
	}
	made, err := opts.site()
	if err != nil {
		return nil, nil, err
	}
	if err := s.f.core.sealHooks(ctx, made); err != nil {
		return nil, nil, err
	}
	if made.RepositoryToken, err = s.f.core.sealToken(ctx, made.ID, opts.RepositoryToken); err != nil {
		return nil, nil, err
	}
	var site *Site
	var action *Action
	err = s.f.core.update(ctx, func(t *txn) error {
		site = made.Clone()
		srv, err := s.f.server(t, serverID)
		if err != nil {
			return err
		}
		known, err := madeBefore(t.Sites(), site.IdempotencyKey, SiteFilter{Owner: srv.Owner, IdempotencyKey: site.IdempotencyKey},
			srv.Owner, func(s *Site) string { return s.Owner })
		if err != nil {
			return err
		}
		if known != nil {
			site = known
			action, err = firstAction(t, ActionFilter{Subject: Subject{SubjectSite, site.ID}, Kind: KindSetupSite})
			return err
		}
		if err := srv.mustBe(ServerActive); err != nil {
			return err
		}
		if err := srv.hasStack("sites"); err != nil {
			return err
		}
		if err := site.fits(t, srv); err != nil {
			return err
		}
		site.Owner, site.Server = srv.Owner, srv.ID
		if err := site.directoryFree(t); err != nil {
			return err
		}
		site.Created = t.Now()
		site.Updated = site.Created
		if err := moveSite(t, site, SitePending, ""); err != nil {
			return err
		}
		if err := t.Sites().Insert(site); err != nil {
			return err
		}
		action, err = s.f.setUp(t, site)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return site, action, nil
}

// setUp inserts the action that sets a site up, or goes on with that.
func (f *Forge) setUp(t *txn, site *Site) (*Action, error) {
	subject := Subject{SubjectSite, site.ID}
	parent := &Action{Owner: site.Owner, Actor: f.actor, Kind: KindSetupSite, Subject: subject, Server: site.Server}
	if err := f.core.insert(t, parent); err != nil {
		return nil, err
	}
	err := f.core.insert(t, &Action{Owner: site.Owner, Actor: f.actor, Kind: KindCreateSite, Parent: parent.ID,
		Subject: subject, Server: site.Server, Locks: []string{serverLock(site.Server), siteLock(site.ID)}})
	if err != nil {
		return nil, err
	}
	return t.Actions().Get(parent.ID)
}

// Connect goes on with a site that waits for access to its repository, or whose
// setting up failed.
func (s *Sites) Connect(ctx context.Context, id string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Sites.Connect", Subject{SubjectSite, id}); err != nil {
		return nil, err
	}
	err = s.f.core.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, id)
		if err != nil {
			return err
		}
		if site.Status != SiteAwaitingAccess && site.Status != SiteFailed {
			return badState("the site is %s; only one that is %s or %s is connected", site.Status, SiteAwaitingAccess, SiteFailed)
		}
		if _, err := s.f.activeServer(t, site.Server); err != nil {
			return err
		}
		if err := noneOpen(t, ActionFilter{Subject: Subject{SubjectSite, id}}); err != nil {
			return err
		}
		action, err = s.f.setUp(t, site)
		return err
	})
	return action, err
}

// Delete takes away from the server what Create made there, and then the
// records. A deployment that runs is cancelled first.
func (s *Sites) Delete(ctx context.Context, id string) (action *Action, err error) {
	if _, err := s.f.ask(ctx, "Sites.Delete", Subject{SubjectSite, id}); err != nil {
		return nil, err
	}
	c := s.f.core
	err = c.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, id)
		if err != nil {
			return err
		}
		if site.Status == SiteDeleting {
			return badState("the site is %s already", site.Status)
		}
		if _, err := s.f.activeServer(t, site.Server); err != nil {
			return err
		}
		was := site.Status
		if err := c.putSite(t, site, SiteDeleting, ""); err != nil {
			return err
		}
		if err := c.cancelSite(t, site); err != nil {
			return err
		}
		action = &Action{Owner: site.Owner, Actor: s.f.actor, Kind: KindDeleteSite, Server: site.Server,
			Subject: Subject{SubjectSite, site.ID}, Locks: []string{serverLock(site.Server), siteLock(site.ID)},
			Input: Input{Was: string(was)}}
		return c.insert(t, action)
	})
	return action, err
}

// cancelSite cancels what is under way for a site and its deployments.
func (c *core) cancelSite(t *txn, site *Site) error {
	open, err := t.Actions().List(ActionFilter{Subject: Subject{SubjectSite, site.ID}, Open: true}, Page{Limit: MaxPage})
	if err != nil {
		return err
	}
	for _, a := range open {
		if err := c.cancelFresh(t, a.ID); err != nil {
			return err
		}
	}
	live := []DeploymentStatus{DeploymentPending, DeploymentRunning}
	deployments, err := t.Deployments().List(DeploymentFilter{Site: site.ID, Status: live}, Page{})
	if err != nil {
		return err
	}
	for _, d := range deployments {
		if err := c.cancelFresh(t, d.Action); err != nil {
			return err
		}
	}
	return nil
}

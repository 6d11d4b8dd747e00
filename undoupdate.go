package forge

import "context"

// updateSite brings the server in step with the record of a site.
func (c *core) updateSite(ctx context.Context, w *work) error {
	srv, site, err := w.site(ctx)
	if err != nil {
		return err
	}
	restore := w.action.Input.Restore
	another := restore != nil && restore.Repository != nil && site.Repository != ""
	if err := c.bringInStep(ctx, w, srv, site, another); err != nil || w.done != nil || restore == nil {
		return err
	}
	w.done = func(t *txn) error {
		site, err := t.Sites().Get(site.ID)
		if err != nil {
			return gone(err)
		}
		site.Failure = ""
		return t.Sites().Update(site)
	}
	return nil
}

// updateSiteChanged puts the settings of a site back where their update did not
// succeed. Where it may have come to the server, an update without settings of
// its own goes there again. What is to be deployed goes back too.
func (c *core) updateSiteChanged(t *txn, a *Action) error {
	if a.Status != ActionFailed && a.Status != ActionCancelled {
		return nil
	}
	site, err := orNone(t.Sites().Get(a.Subject.ID))
	if site == nil {
		return err
	}
	site.Updated = t.Now()
	if a.Input.Restore == nil {
		site.Failure = "the server may not have the settings of the site; update it again: " + failureText(a)
		return t.Sites().Update(site)
	}
	now := site.Clone()
	whole, err := site.restore(t, a)
	if err != nil {
		return err
	}
	if err := t.Sites().Update(site); err != nil || site.Status == SiteDeleting {
		return err
	}
	if !whole || a.mayHaveChanged() {
		if err := c.updateAgain(t, a); err != nil {
			return err
		}
	}
	return c.retrigger(t, now, site)
}

// updateAgain brings the server in step after an update that failed.
func (c *core) updateAgain(t *txn, a *Action) error {
	srv, err := orNone(t.Servers().Get(a.Server))
	if srv == nil || srv.Status != ServerActive {
		return err
	}
	return c.insert(t, &Action{Owner: a.Owner, Actor: a.Actor, Kind: KindUpdateSite, Subject: a.Subject,
		Server: a.Server, Locks: a.Locks})
}

// mayHaveChanged reports whether the server may have the new settings: the script
// of the first stage undoes what it did when it fails.
func (a *Action) mayHaveChanged() bool {
	undone := a.Stage == stageServe && a.Failure != nil && a.Failure.Reason == ReasonExit
	return a.Stage != "" && !undone
}

// restore gives the site the settings before an update. Where another site took
// one of its names since, it keeps the new names, and is not whole.
func (s *Site) restore(tx Tx, a *Action) (whole bool, err error) {
	now := s.Clone()
	a.Input.Restore.apply(s)
	if !sameHost(now.Repository, s.Repository) {
		s.RepositoryToken = a.Input.Sealed
	}
	taken, err := s.takenName(tx)
	if taken != "" {
		s.Domain, s.Aliases = now.Domain, now.Aliases
		s.Failure = "an update failed, and the names before it cannot be restored, as another site has " + taken + " now: " + failureText(a)
	}
	return taken == "", err
}

// takenName is one of the site's names that another site of the server has, or
// empty.
func (s *Site) takenName(tx Tx) (string, error) {
	for _, name := range append([]string{s.Domain}, s.Aliases...) {
		found, err := tx.Sites().List(SiteFilter{Server: s.Server, Domain: name}, Page{})
		if err != nil {
			return "", err
		}
		for _, other := range found {
			if other.ID != s.ID {
				return name, nil
			}
		}
	}
	return "", nil
}

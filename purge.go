package forge

import "time"

// What is too old, and how each record of it is removed.

func endedActions(filter ActionFilter) func(Tx, time.Time, Page) ([]string, error) {
	return func(tx Tx, before time.Time, page Page) ([]string, error) {
		filter.EndedBefore = before
		return idsOf(func(a *Action) string { return a.ID })(tx.Actions().List(filter, page))
	}
}

func deletedServers(owner string) func(Tx, time.Time, Page) ([]string, error) {
	filter := ServerFilter{Owner: owner, Status: []ServerStatus{ServerDeleted}}
	return func(tx Tx, _ time.Time, page Page) ([]string, error) {
		return idsOf(func(s *Server) string { return s.ID })(tx.Servers().List(filter, page))
	}
}

func oldDeliveries(owner string) func(Tx, time.Time, Page) ([]string, error) {
	return func(tx Tx, before time.Time, page Page) ([]string, error) {
		filter := DeliveryFilter{Owner: owner, CreatedBefore: before}
		return idsOf(func(d *Delivery) string { return d.ID })(tx.Deliveries().List(filter, page))
	}
}

// idsOf turns a page of records into their ids.
func idsOf[T any](id func(*T) string) func([]*T, error) ([]string, error) {
	return func(records []*T, err error) ([]string, error) {
		all := make([]string, len(records))
		for i, r := range records {
			all[i] = id(r)
		}
		return all, err
	}
}

// purgeAction removes an action that is no part of another, with its parts and
// the deployments that they did, unless it is still of use.
func (c *core) purgeAction(t *txn, id string, before time.Time) (Purged, error) {
	a, err := t.Actions().Get(id)
	if err != nil || a.Parent != "" || !a.Finished.Before(before) || !a.Status.Ended() {
		return Purged{}, err
	}
	all := []*Action{a}
	for part, err := range actionsOf(t, ActionFilter{Parent: id}) {
		if err != nil {
			return Purged{}, err
		}
		all = append(all, part)
	}
	for _, a := range all {
		if used, err := inUse(t, a); used || err != nil {
			return Purged{}, err
		}
	}
	purged := Purged{Actions: len(all)}
	for _, a := range all {
		if a.Subject.Kind == SubjectDeployment {
			purged.Deployments++
			if err := t.Deployments().Delete(a.Subject.ID); err != nil {
				return Purged{}, err
			}
		}
		if err := t.Actions().Delete(a.ID); err != nil {
			return Purged{}, err
		}
	}
	return purged, nil
}

// inUse reports whether an action is open, made a server or a site that is still
// there, or is what is live on a site.
func inUse(tx Tx, a *Action) (bool, error) {
	switch {
	case !a.Status.Ended():
		return true, nil
	case a.Kind == KindCreateServer:
		srv, err := orNone(tx.Servers().Get(a.Subject.ID))
		return srv != nil, err
	case a.Kind == KindSetupSite:
		site, err := orNone(tx.Sites().Get(a.Subject.ID))
		return site != nil, err
	case a.Kind == KindDeploy && a.Status == ActionFinished:
		return isLive(tx, a.Subject.ID)
	}
	return false, nil
}

// isLive reports whether a finished deployment is the newest one of its site.
func isLive(tx Tx, deployment string) (bool, error) {
	d, err := orNone(tx.Deployments().Get(deployment))
	if d == nil {
		return false, err
	}
	site, err := orNone(tx.Sites().Get(d.Site))
	if site == nil {
		return false, err
	}
	newest, err := tx.Deployments().List(DeploymentFilter{Site: d.Site, Status: []DeploymentStatus{DeploymentFinished}},
		Page{Limit: 1, Newest: true})
	return len(newest) > 0 && newest[0].ID == deployment, err
}

// purgeLog removes the lines of an action and notes that.
func (c *core) purgeLog(t *txn, id string, before time.Time) (Purged, error) {
	a, err := t.Actions().Get(id)
	if err != nil || !a.LogRemoved.IsZero() || !a.Finished.Before(before) || !a.Status.Ended() {
		return Purged{}, err
	}
	if err := t.DropLog(id); err != nil {
		return Purged{}, err
	}
	a.LogRemoved = t.Now()
	return Purged{Logs: 1}, t.Actions().Update(a)
}

func (c *core) purgeDelivery(t *txn, id string, _ time.Time) (Purged, error) {
	if _, err := t.Deliveries().Get(id); err != nil {
		return Purged{}, err
	}
	return Purged{Deliveries: 1}, t.Deliveries().Delete(id)
}

// purgeServer removes the record of a server that was deleted before a time.
func (c *core) purgeServer(t *txn, id string, before time.Time) (Purged, error) {
	srv, err := t.Servers().Get(id)
	if err != nil || srv.Status != ServerDeleted || !srv.Updated.Before(before) {
		return Purged{}, err
	}
	open, err := firstAction(t, ActionFilter{Server: id, Open: true})
	if open != nil || err != nil {
		return Purged{}, err
	}
	return Purged{Servers: 1}, removeServer(t, srv)
}

func removeServer(t *txn, srv *Server) error {
	t.Emit(Event{Owner: srv.Owner, Type: EventRemoved, Subject: Subject{SubjectServer, srv.ID}, Server: srv.ID})
	if err := t.Locks().Delete(serverLock(srv.ID)); err != nil {
		return err
	}
	return t.Servers().Delete(srv.ID)
}

package forge

import (
	"context"
	"errors"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/webhook"
)

// receive notes an authentic push and triggers what it asks for, in one
// transaction. One that was noted before triggers nothing and is returned as it
// was, unless the site could not be deployed then.
func (s *Hooks) receive(ctx context.Context, siteID string, r *webhook.Request, b *webhook.Body) (d *Delivery, seen bool, err error) {
	err = s.f.core.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, siteID)
		if err != nil {
			return err
		}
		fresh := &Delivery{ID: newID(), Owner: site.Owner, Site: site.ID, Source: string(r.Source), Key: r.ID, Digest: b.Digest,
			Branch: strings.TrimPrefix(b.Ref, "refs/heads/"), Commit: b.Commit, Created: t.Now()}
		if fresh.Key == "" {
			fresh.Key = fresh.Digest
		}
		var before *Delivery
		if before, seen, err = noted(t, fresh); err != nil || seen {
			d = before
			return err
		}
		d = fresh
		if err := s.decide(t, site, d, b.Change); err != nil {
			return err
		}
		if before != nil {
			d.ID, d.Created = before.ID, before.Created
			return t.Deliveries().Update(d)
		}
		t.Emit(Event{Owner: d.Owner, Type: EventStatus, Subject: Subject{SubjectDelivery, d.ID}, Server: site.Server, To: string(d.Result)})
		return t.Deliveries().Insert(d)
	})
	return d, seen, err
}

// noted finds a delivery that was noted before: by its body too, as what the
// sender calls it is in a header that nothing signs. One that was refused then
// is not seen: it is tried again.
func noted(t *txn, d *Delivery) (before *Delivery, seen bool, err error) {
	for _, filter := range []DeliveryFilter{{Site: d.Site, Key: d.Key}, {Site: d.Site, Digest: d.Digest}} {
		found, err := t.Deliveries().List(filter, Page{Limit: 1})
		if err != nil {
			return nil, false, err
		}
		for _, before = range found {
			if before.Result != DeliveryRefused {
				return before, true, nil
			}
		}
	}
	return before, false, nil
}

// decide says what becomes of a delivery, and triggers a deployment where it
// asks for one: of the newest commit, as a later push may have come before it.
func (s *Hooks) decide(t *txn, site *Site, d *Delivery, c webhook.Change) error {
	d.Result = DeliveryIgnored
	switch {
	case c.Ref == "":
		d.Reason = "the push changed no branch"
		return nil
	case c.Ref != site.ref():
		d.Reason = "the site deploys another branch"
		return nil
	case c.Deleted:
		d.Reason = "the branch was deleted"
		return nil
	}
	if err := s.f.deployable(t, site); err != nil {
		var state *Error
		if errors.As(err, &state) && errors.Is(err, ErrState) {
			d.Result, d.Reason = DeliveryRefused, state.Rule
			return nil
		}
		return err
	}
	deployment, err := s.f.core.trigger(t, site, &Deployment{Branch: site.Branch}, "webhook "+d.Source, "")
	if err != nil {
		return err
	}
	d.Result, d.Deployment = DeliveryDeployed, deployment.ID
	return nil
}

// ref is the full name of the site's branch.
func (s *Site) ref() string {
	if strings.HasPrefix(s.Branch, "refs/") {
		return s.Branch
	}
	return "refs/heads/" + s.Branch
}

// removeDeliveries removes what was received for a site.
func removeDeliveries(t *txn, siteID string) error {
	for {
		some, err := t.Deliveries().List(DeliveryFilter{Site: siteID}, Page{Limit: MaxPage})
		if err != nil || len(some) == 0 {
			return err
		}
		for _, d := range some {
			if err := t.Deliveries().Delete(d.ID); err != nil {
				return err
			}
		}
	}
}

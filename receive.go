package forge

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/webhook"
)

// errBranchChanged is why a push is not decided: its body was read for the branch
// that the site had before, and another change may be in it.
var errBranchChanged = errors.New("the site's branch was changed meanwhile")

// receive notes an authentic push, whose body was read for a ref, and triggers
// what it asks for, in one transaction. One that was noted before triggers
// nothing and is returned as it was, unless the site could not be deployed then.
func (s *Hooks) receive(ctx context.Context, siteID, ref string, r *webhook.Request, b *webhook.Body) (d *Delivery, seen bool, err error) {
	err = s.f.core.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, siteID)
		if err != nil {
			return err
		}
		if site.ref() != ref {
			return errBranchChanged
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
		var was DeliveryResult
		store := t.Deliveries().Insert
		if before != nil {
			d.ID, d.Created, was = before.ID, before.Created, before.Result
			store = t.Deliveries().Update
		}
		if d.Result != was {
			t.Emit(Event{Owner: d.Owner, Type: EventStatus, Subject: Subject{SubjectDelivery, d.ID}, Server: site.Server,
				From: string(was), To: string(d.Result)})
		}
		return store(d)
	})
	return d, seen, err
}

// noted finds a delivery that was noted before: by its body too, as what the
// sender calls it is in a header that nothing signs. One that was refused then
// is not seen: it is tried again. Nor is a body under another key, where the
// branch was deployed for another push since: some senders do not date a push, so
// that it looks like an earlier one of the same move. A body belongs to the
// delivery that had it last.
func noted(t *txn, d *Delivery) (before *Delivery, seen bool, err error) {
	before, err = delivered(t, DeliveryFilter{Site: d.Site, Key: d.Key})
	if err != nil || before != nil && before.Result != DeliveryRefused {
		return before, before != nil, err
	}
	same, err := delivered(t, DeliveryFilter{Site: d.Site, Digest: d.Digest})
	if err != nil || same == nil || before != nil && same.ID == before.ID {
		return before, false, err
	}
	switch same.Result {
	case DeliveryRefused:
		if before == nil {
			return same, false, nil
		}
	case DeliveryDeployed:
		if newest, err := newestDeployed(t, same); err != nil || newest {
			return same, newest, err
		}
	}
	same.Digest = same.ID
	return before, false, t.Deliveries().Update(same)
}

// delivered is the delivery that a filter for a unique field selects, or nil.
func delivered(tx Tx, filter DeliveryFilter) (*Delivery, error) {
	found, err := tx.Deliveries().List(filter, Page{Limit: 1})
	if len(found) == 0 {
		return nil, err
	}
	return found[0], err
}

// newestDeployed reports whether no other push of its branch was deployed since.
// It looks at no more than a page of what came later.
func newestDeployed(tx Tx, d *Delivery) (bool, error) {
	later, err := tx.Deliveries().List(DeliveryFilter{Site: d.Site}, Page{After: d.ID, Limit: MaxPage})
	return !slices.ContainsFunc(later, func(o *Delivery) bool {
		return o.Result == DeliveryDeployed && o.Branch == d.Branch
	}), err
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

// dropDeliveries removes what was received for a site that is about to go, a
// batch at a time, so that little is left for the transaction of the end.
func (w *work) dropDeliveries(ctx context.Context, siteID string) error {
	for more := true; more; {
		err := w.update(ctx, func(t *txn, _ *Action) (err error) {
			more, err = dropSomeDeliveries(t, siteID)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// removeDeliveries removes what was received for a site.
func removeDeliveries(t *txn, siteID string) error {
	for {
		if more, err := dropSomeDeliveries(t, siteID); err != nil || !more {
			return err
		}
	}
}

func dropSomeDeliveries(t *txn, siteID string) (more bool, err error) {
	some, err := t.Deliveries().List(DeliveryFilter{Site: siteID}, Page{Limit: purgeBatch})
	if err != nil {
		return false, err
	}
	for _, d := range some {
		if err := t.Deliveries().Delete(d.ID); err != nil {
			return false, err
		}
	}
	return len(some) == purgeBatch, nil
}

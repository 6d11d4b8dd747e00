package forge

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Retention says for how long what has ended is kept. Zero keeps it for ever.
// What is open is never removed, an action only together with its parts, and
// none of these at all: the actions that made a server or a site that is still
// there, and the newest finished deployment of a site, which is what is live.
//
// Processes that work remove what is too old when they begin, and every hour;
// Forge.Purge does it at once. Events tell of servers alone that were removed.
type Retention struct {
	// Logs is how long after its action's end a log is kept. Reading it later
	// gives an error of class ErrState; see Action.LogRemoved.
	Logs time.Duration
	// Actions is how long after their end actions are kept, with their logs
	// and the deployments that they did. Their idempotency keys are free then.
	Actions time.Duration
	// Deliveries is how long webhooks are remembered. One that is sent again
	// after that triggers a deployment again.
	Deliveries time.Duration
	// Events is how long events are kept. A reader that goes on from an older
	// one gets an error of class ErrState.
	Events time.Duration
	// DeletedServers is how long the records of deleted servers are kept.
	DeletedServers time.Duration
}

// check refuses what would remove things before they are.
func (r Retention) check() error {
	for _, keep := range []time.Duration{r.Logs, r.Actions, r.Deliveries, r.Events, r.DeletedServers} {
		if keep < 0 {
			return invalid("retention", "must not be negative")
		}
	}
	return nil
}

const (
	// purgeEvery is how often a process that works removes what is too old.
	purgeEvery = time.Hour
	// purgeBatch is how many records one transaction removes.
	purgeBatch = 50
)

// Purged counts what was removed.
type Purged struct {
	Servers, Sites, Keys, Grants int
	Deployments, Deliveries      int
	Actions                      int
	Logs                         int // those that were removed without their actions
}

func (p *Purged) add(o Purged) {
	p.Servers, p.Sites, p.Keys, p.Grants = p.Servers+o.Servers, p.Sites+o.Sites, p.Keys+o.Keys, p.Grants+o.Grants
	p.Deployments, p.Deliveries = p.Deployments+o.Deployments, p.Deliveries+o.Deliveries
	p.Actions, p.Logs = p.Actions+o.Actions, p.Logs+o.Logs
}

// Purge removes what is older than Config.Retention keeps it, and returns what
// that was. Calling it in several processes at once does no harm. A Forge with an
// owner removes what is its owner's, and no events.
func (f *Forge) Purge(ctx context.Context) (Purged, error) {
	if _, err := f.ask(ctx, "Forge.Purge"); err != nil {
		return Purged{}, err
	}
	var owner string
	if f.narrow(&owner) {
		return Purged{}, nil
	}
	return f.core.purge(ctx, owner)
}

// purgeAll is the part of the sweep that removes what is too old.
func (c *core) purgeAll(ctx context.Context) {
	if c.Retention == (Retention{}) {
		return
	}
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		purged, err := c.purge(ctx, "")
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.Logger.WarnContext(ctx, "what is too old was not all removed and will be later", "error", err)
		case purged != Purged{}:
			c.Logger.InfoContext(ctx, "what was too old is removed", "actions", purged.Actions, "logs", purged.Logs,
				"deployments", purged.Deployments, "deliveries", purged.Deliveries, "servers", purged.Servers)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// purge removes what is too old of an owner, or of all.
func (c *core) purge(ctx context.Context, owner string) (total Purged, err error) {
	keep := c.Retention
	for _, step := range []struct {
		keep time.Duration
		old  func(tx Tx, before time.Time, page Page) ([]string, error)
		drop func(t *txn, id string, before time.Time) (Purged, error)
	}{
		{keep.DeletedServers, deletedServers(owner), c.purgeServer},
		{keep.Actions, endedActions(ActionFilter{Owner: owner}), c.purgeAction},
		{keep.Logs, endedActions(ActionFilter{Owner: owner, HasLog: true}), c.purgeLog},
		{keep.Deliveries, oldDeliveries(owner), c.purgeDelivery},
	} {
		if step.keep == 0 {
			continue
		}
		ids, before, err := c.tooOld(ctx, step.keep, step.old)
		if err != nil {
			return total, err
		}
		for batch := range slices.Chunk(ids, purgeBatch) {
			var removed Purged
			err := c.update(ctx, func(t *txn) error {
				removed = Purged{}
				for _, id := range batch {
					some, err := step.drop(t, id, before)
					if err != nil && !errors.Is(err, ErrNotFound) { // another process was faster
						return err
					}
					removed.add(some)
				}
				return nil
			})
			if err != nil {
				return total, err
			}
			total.add(removed)
		}
	}
	if keep.Events == 0 || owner != "" {
		return total, nil
	}
	return total, c.update(ctx, func(t *txn) error { return t.DropEvents(t.Now().Add(-keep.Events)) })
}

// tooOld lists what is older than it is kept, page by page.
func (c *core) tooOld(ctx context.Context, keep time.Duration,
	list func(tx Tx, before time.Time, page Page) ([]string, error),
) (ids []string, before time.Time, err error) {
	page := Page{Limit: MaxPage}
	for {
		var some []string
		err := c.Store.View(ctx, func(tx Tx) (err error) {
			if before.IsZero() {
				before = tx.Now().Add(-keep)
			}
			some, err = list(tx, before, page)
			return err
		})
		ids = append(ids, some...)
		if err != nil || len(some) < page.Limit {
			return ids, before, err
		}
		page.After = some[len(some)-1]
	}
}

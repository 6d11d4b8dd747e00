package forge

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/secret"
)

const (
	// resealEvery is how often a process that works seals anew.
	resealEvery = 24 * time.Hour
	// resealBatch is how many records one transaction changes.
	resealBatch = 50
)

// ResealReport says what hangs on which key.
type ResealReport struct {
	Resealed int // values that were sealed anew
	// Values counts the values that hang on each key now, by what the Rotator
	// calls it. Those of a key that is none of Rotator.Keys do not open.
	Values map[string]int
	// Unused are the keys that no value hangs on and that do not seal: they can
	// be taken away, once no process seals with them.
	Unused []string
}

// Reseal seals everything anew that was sealed with another key than the one that
// Config.Sealer seals with, and returns what is left. Left are the secrets of
// actions that somebody works on, and values that do not open. Changes at the same
// time are not overwritten.
//
// Processes that work do it when they begin and every day, when Config.Sealer is a
// secret.Rotator. Otherwise it is an error of class ErrState. A Forge with an
// owner reseals what is its owner's, and does not know what is unused.
func (f *Forge) Reseal(ctx context.Context) (ResealReport, error) {
	if _, err := f.ask(ctx, "Forge.Reseal"); err != nil {
		return ResealReport{}, err
	}
	r, ok := f.core.Sealer.(secret.Rotator)
	if !ok {
		return ResealReport{}, badState("Config.Sealer has one key alone: it is no secret.Rotator")
	}
	var owner string
	if f.narrow(&owner) {
		return ResealReport{}, nil
	}
	report, err := f.core.reseal(ctx, r, owner)
	if f.scoped {
		report.Unused = nil
	}
	return report, err
}

func (c *core) reseal(ctx context.Context, r secret.Rotator, owner string) (report ResealReport, err error) {
	tables := sealedTables(owner)
	if len(r.Keys()) == 1 { // which opens what it sealed itself, and nothing else
		tables = nil
	}
	for _, table := range tables {
		n, err := c.resealTable(ctx, r, table)
		report.Resealed += n
		if err != nil {
			return report, err
		}
	}
	// Counted at one moment, as values move from records to actions and back.
	err = c.Store.View(ctx, func(tx Tx) (err error) {
		report.Values, err = countKeys(tx, r, sealedTables(owner))
		return err
	})
	if err != nil {
		return report, err
	}
	for _, key := range r.Keys()[1:] {
		if report.Values[key] == 0 {
			report.Unused = append(report.Unused, key)
		}
	}
	return report, nil
}

// countKeys counts the sealed values by their keys.
func countKeys(tx Tx, r secret.Rotator, tables []sealedTable) (map[string]int, error) {
	values := make(map[string]int)
	for _, table := range tables {
		records := all(func(page Page) ([]*sealedRecord, error) { return table.list(tx, page) },
			func(r *sealedRecord) string { return r.id })
		for record, err := range records {
			if err != nil {
				return nil, err
			}
			for _, v := range record.values {
				if len(*v.value) > 0 {
					values[r.KeyOf(*v.value)]++
				}
			}
		}
	}
	return values, nil
}

// resealTable seals anew what is in a table, a page at a time.
func (c *core) resealTable(ctx context.Context, r secret.Rotator, table sealedTable) (total int, err error) {
	page := Page{Limit: resealBatch}
	for {
		var records []*sealedRecord
		err := c.Store.View(ctx, func(tx Tx) (err error) {
			records, err = table.list(tx, page)
			return err
		})
		if err != nil {
			return total, err
		}
		var changes []resealed
		for _, record := range records {
			change, err := c.anew(ctx, r, record)
			if err != nil {
				return total, err
			}
			if change.now != nil {
				changes = append(changes, change)
			}
		}
		n, err := c.replace(ctx, table, changes)
		total += n
		if err != nil || len(records) < page.Limit {
			return total, err
		}
		page.After = records[len(records)-1].id
	}
}

// resealed is what the values of a record were and should be, in the order of its
// list; those that stay are nil in now, or all of it is.
type resealed struct {
	id       string
	was, now []secret.Sealed
}

// anew seals what another key than the present one sealed. What does not open
// stays: it is counted with its key.
func (c *core) anew(ctx context.Context, r secret.Rotator, record *sealedRecord) (resealed, error) {
	change := resealed{id: record.id}
	present := r.Keys()[0]
	for i, v := range record.values {
		sealed := *v.value
		change.was = append(change.was, sealed)
		if len(sealed) == 0 || r.KeyOf(sealed) == present || record.held {
			continue
		}
		value, err := r.Open(ctx, sealed, v.place)
		if errors.Is(err, secret.ErrNotAuthentic) {
			c.Logger.WarnContext(ctx, "a sealed value does not open and stays as it is", "error", err)
			continue
		}
		if err != nil {
			return change, err
		}
		if change.now == nil {
			change.now = make([]secret.Sealed, len(record.values))
		}
		if change.now[i], err = r.Seal(ctx, value, v.place); err != nil {
			return change, err
		}
	}
	return change, nil
}

// replace stores what was sealed anew, where the records still have what was read,
// and nobody works with it.
func (c *core) replace(ctx context.Context, table sealedTable, changes []resealed) (n int, err error) {
	if len(changes) == 0 {
		return 0, nil
	}
	err = c.update(ctx, func(t *txn) error {
		n = 0
		for _, change := range changes {
			record, err := table.get(t, change.id)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			changed := 0
			for i, now := range change.now {
				at := record.values[i].value
				if now != nil && !record.held && bytes.Equal(*at, change.was[i]) {
					*at = now
					changed++
				}
			}
			if changed == 0 {
				continue
			}
			n += changed
			if err := record.store(t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// resealAll is the part of the background that seals anew, and tells the operator
// which keys are of use.
func (c *core) resealAll(ctx context.Context) {
	r, ok := c.Sealer.(secret.Rotator)
	if !ok {
		return
	}
	tick := time.NewTicker(resealEvery)
	defer tick.Stop()
	for {
		report, err := c.reseal(ctx, r, "")
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			c.Logger.WarnContext(ctx, "what older keys sealed was not all sealed anew and will be later", "error", err)
		default:
			c.logKeys(ctx, r, report)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *core) logKeys(ctx context.Context, r secret.Rotator, report ResealReport) {
	keys := r.Keys()
	if report.Resealed > 0 {
		c.Logger.InfoContext(ctx, "what older keys sealed is sealed anew", "values", report.Resealed, "key", keys[0])
	}
	for _, key := range report.Unused {
		c.Logger.InfoContext(ctx, "a key is no longer used, and can be disabled once no process seals with it", "key", key)
	}
	for key, n := range report.Values {
		switch {
		case key == keys[0]:
		case slices.Contains(keys, key):
			c.Logger.InfoContext(ctx, "an older key is still used", "key", key, "values", n)
		default:
			c.Logger.WarnContext(ctx, "values do not open, as the sealer does not have their key", "key", key, "values", n)
		}
	}
}

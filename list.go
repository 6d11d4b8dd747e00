package forge

import (
	"context"
	"errors"
	"iter"
)

// list reads a page in a view of its own.
func list[T any](ctx context.Context, store Store, read func(Tx) ([]*T, error)) (records []*T, err error) {
	err = store.View(ctx, func(tx Tx) error {
		records, err = read(tx)
		return err
	})
	return records, err
}

// all yields the records of all pages.
func all[T any](read func(Page) ([]*T, error), id func(*T) string) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		page := Page{Limit: 200}
		for {
			records, err := read(page)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
			if len(records) < page.Limit {
				return
			}
			page.After = id(records[len(records)-1])
		}
	}
}

// asking yields what seq does, where Config.Authorize allows it.
func asking[T any](ctx context.Context, f *Forge, method string, subject []Subject, seq func(*Forge) iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		f, err := f.ask(ctx, method, subject...)
		if err != nil {
			var none T
			yield(none, err)
			return
		}
		seq(f)(yield)
	}
}

// sitesOn yields the sites of a server.
func sitesOn(tx Tx, serverID string) iter.Seq2[*Site, error] {
	return all(func(page Page) ([]*Site, error) { return tx.Sites().List(SiteFilter{Server: serverID}, page) },
		func(s *Site) string { return s.ID })
}

// grantsIn yields the grants that the filter selects.
func grantsIn(tx Tx, filter GrantFilter) iter.Seq2[*Grant, error] {
	return all(func(page Page) ([]*Grant, error) { return tx.Grants().List(filter, page) },
		func(g *Grant) string { return g.ID })
}

// actionsOf yields the actions that the filter selects.
func actionsOf(tx Tx, filter ActionFilter) iter.Seq2[*Action, error] {
	return all(func(page Page) ([]*Action, error) { return tx.Actions().List(filter, page) },
		func(a *Action) string { return a.ID })
}

// orNone is a record, or nil where there is none.
func orNone[T any](record *T, err error) (*T, error) {
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return record, err
}

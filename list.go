package forge

import (
	"context"
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

package memory

import (
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"github.com/seed-797f2c2c/forge"
)

// schema describes a table of records of type T.
type schema[T, F any] struct {
	name  string
	id    func(*T) string
	clone func(*T) *T
	// index returns what the record is found by besides its id.
	index func(*T) []entry
	// query returns where to look for what a filter selects, and the filter
	// itself.
	query func(F) (lookup, func(*T) bool)
}

// table holds the records of one type. They never change once they are in it.
type table[T, F any] struct {
	*schema[T, F]
	rows  *btree.Map[string, *T]
	found *btree.Map[string, string] // index entries, and the ids of their records
}

func newTable[T, F any](s *schema[T, F]) *table[T, F] {
	return &table[T, F]{s, new(btree.Map[string, *T]), new(btree.Map[string, string])}
}

func (t *table[T, F]) fork() *table[T, F] {
	return &table[T, F]{t.schema, t.rows.Copy(), t.found.Copy()}
}

// put replaces a record, either of which may be nil, and its index entries.
func (t *table[T, F]) put(id string, was, now *T) error {
	var old, entries []entry
	if was != nil {
		old = t.index(was)
	}
	if now != nil {
		entries = t.index(now)
	}
	for _, e := range entries {
		if e.unique != "" && t.taken(e, id) {
			return &forge.Error{Class: forge.ErrConflict, Field: e.unique, Rule: "is taken by another " + t.name}
		}
	}
	for _, e := range old {
		if !slices.Contains(entries, e) {
			t.found.Delete(e.key + id)
		}
	}
	for _, e := range entries {
		if !slices.Contains(old, e) {
			t.found.Set(e.key+id, id)
		}
	}
	if now == nil {
		t.rows.Delete(id)
	} else {
		t.rows.Set(id, t.clone(now))
	}
	return nil
}

// taken reports whether a record other than id has the entry.
func (t *table[T, F]) taken(e entry, id string) bool {
	taken := false
	t.found.Ascend(e.key, func(key, other string) bool {
		same := strings.HasPrefix(key, e.key)
		taken = same && other != id
		return same && !taken
	})
	return taken
}

// tableTx is a table in a transaction.
type tableTx[T, F any] struct {
	tx    *tx
	table *table[T, F]
}

func (t tableTx[T, F]) row(id string) (*T, error) {
	if r, ok := t.table.rows.Get(id); ok {
		return r, nil
	}
	return nil, &forge.Error{Class: forge.ErrNotFound, Field: t.table.name, Rule: "there is none with the id " + id}
}

func (t tableTx[T, F]) Get(id string) (*T, error) {
	if err := t.tx.err(); err != nil {
		return nil, err
	}
	r, err := t.row(id)
	if err != nil {
		return nil, err
	}
	return t.table.clone(r), nil
}

func (t tableTx[T, F]) Insert(r *T) error {
	if err := t.tx.writeErr(); err != nil {
		return err
	}
	id := t.table.id(r)
	if _, err := t.row(id); err == nil {
		return &forge.Error{Class: forge.ErrConflict, Field: "id", Rule: "is taken by another " + t.table.name}
	}
	return t.table.put(id, nil, r)
}

func (t tableTx[T, F]) Update(r *T) error {
	if err := t.tx.writeErr(); err != nil {
		return err
	}
	id := t.table.id(r)
	was, err := t.row(id)
	if err != nil {
		return err
	}
	return t.table.put(id, was, r)
}

func (t tableTx[T, F]) Delete(id string) error {
	if err := t.tx.writeErr(); err != nil {
		return err
	}
	was, ok := t.table.rows.Get(id)
	if !ok {
		return nil
	}
	return t.table.put(id, was, nil)
}

func (t tableTx[T, F]) List(f F, p forge.Page) ([]*T, error) {
	if err := t.tx.err(); err != nil {
		return nil, err
	}
	where, match := t.table.query(f)
	var list []*T
	for id := range t.table.ids(where, p) {
		if r, _ := t.table.rows.Get(id); match(r) {
			list = append(list, t.table.clone(r))
		}
		if len(list) == p.Size() {
			break
		}
	}
	return list, nil
}

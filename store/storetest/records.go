package storetest

import (
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

func testRecords(t *testing.T, open func(t *testing.T) forge.Store) {
	testTable(t, open, "Servers", forge.Tx.Servers)
	testTable(t, open, "Sites", forge.Tx.Sites)
	testTable(t, open, "Keys", forge.Tx.Keys)
	testTable(t, open, "Grants", forge.Tx.Grants)
	testTable(t, open, "Deployments", forge.Tx.Deployments)
	testTable(t, open, "Actions", forge.Tx.Actions)
	testTable(t, open, "Deliveries", forge.Tx.Deliveries)
	testTable(t, open, "Locks", forge.Tx.Locks)
}

// testTable checks what is the same for all tables.
func testTable[T, F any](t *testing.T, open func(t *testing.T) forge.Store, name string, table of[T, F]) {
	tests := tableTests[T, F]{table}
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		each(t, open, map[string]func(*testing.T, forge.Store){
			"RoundTrip": tests.roundTrip,
			"Zero":      tests.zero,
			"Missing":   tests.missing,
			"Delete":    tests.delete,
			"SameID":    tests.sameID,
			"Copies":    tests.copies,
			"Pages":     tests.pages,
			"Growing":   tests.growing,
		})
	})
}

type tableTests[T, F any] struct{ table of[T, F] }

func (tt tableTests[T, F]) roundTrip(t *testing.T, s forge.Store) {
	r := seeded(t)
	record := random[T](r)
	insert(t, s, tt.table, record)
	require.Equal(t, normal(record), normal(get(t, s, tt.table, *idOf(record))))

	changed := random[T](r)
	*idOf(changed) = *idOf(record)
	update(t, s, func(tx forge.Tx) error {
		if err := tt.table(tx).Update(changed); err != nil {
			return err
		}
		seen, err := tt.table(tx).Get(*idOf(record))
		require.NoError(t, err)
		require.Equal(t, normal(changed), normal(seen), "an update sees its own writes")
		return nil
	})
	require.Equal(t, normal(changed), normal(get(t, s, tt.table, *idOf(record))))
	all := list(t, s, tt.table, *new(F), forge.Page{})
	require.Len(t, all, 1)
	require.Equal(t, normal(changed), normal(all[0]))
}

func (tt tableTests[T, F]) zero(t *testing.T, s forge.Store) {
	record, name := new(T), id()
	*idOf(record) = name
	insert(t, s, tt.table, record)
	require.Equal(t, normal(record), normal(get(t, s, tt.table, name)))

	full := random[T](seeded(t))
	*idOf(full) = name
	update(t, s, func(tx forge.Tx) error { return tt.table(tx).Update(full) })
	update(t, s, func(tx forge.Tx) error { return tt.table(tx).Update(record) })
	require.Equal(t, normal(record), normal(get(t, s, tt.table, name)), "an update empties fields")
}

func (tt tableTests[T, F]) missing(t *testing.T, s forge.Store) {
	record := random[T](seeded(t))
	update(t, s, func(tx forge.Tx) error {
		_, err := tt.table(tx).Get(*idOf(record))
		require.ErrorIs(t, err, forge.ErrNotFound)
		require.ErrorIs(t, tt.table(tx).Update(record), forge.ErrNotFound)
		require.NoError(t, tt.table(tx).Delete(*idOf(record)))
		return nil
	})
	require.Empty(t, list(t, s, tt.table, *new(F), forge.Page{}))
}

func (tt tableTests[T, F]) delete(t *testing.T, s forge.Store) {
	r := seeded(t)
	gone, stays := random[T](r), random[T](r)
	insert(t, s, tt.table, gone, stays)
	update(t, s, func(tx forge.Tx) error {
		require.NoError(t, tt.table(tx).Delete(*idOf(gone)))
		_, err := tt.table(tx).Get(*idOf(gone))
		require.ErrorIs(t, err, forge.ErrNotFound)
		return nil
	})
	left := list(t, s, tt.table, *new(F), forge.Page{})
	require.Len(t, left, 1)
	require.Equal(t, *idOf(stays), *idOf(left[0]))
	insert(t, s, tt.table, gone)
	require.Equal(t, normal(gone), normal(get(t, s, tt.table, *idOf(gone))))
}

func (tt tableTests[T, F]) sameID(t *testing.T, s forge.Store) {
	r := seeded(t)
	record, other := random[T](r), random[T](r)
	*idOf(other) = *idOf(record)
	insert(t, s, tt.table, record)
	err := s.Update(t.Context(), func(tx forge.Tx) error { return tt.table(tx).Insert(other) })
	requireConflict(t, err, "id")
	require.Equal(t, normal(record), normal(get(t, s, tt.table, *idOf(record))))
}

// copies checks that the store shares nothing with its callers.
func (tt tableTests[T, F]) copies(t *testing.T, s forge.Store) {
	r := seeded(t)
	given := random[T](r)
	want, name := normal(given), *idOf(given)
	unchanged := func(what string, shared *T) {
		t.Helper()
		fill(r, reflect.ValueOf(shared).Elem())
		require.Equal(t, want, normal(get(t, s, tt.table, name)), "after changing "+what)
	}
	insert(t, s, tt.table, given)
	unchanged("what was inserted", given)
	unchanged("what Get returned", get(t, s, tt.table, name))
	unchanged("what List returned", list(t, s, tt.table, *new(F), forge.Page{})[0])

	given = get(t, s, tt.table, name)
	update(t, s, func(tx forge.Tx) error { return tt.table(tx).Update(given) })
	unchanged("what was given to Update", given)
}

// pages lists records, whose ids sort byte by byte, in both directions.
func (tt tableTests[T, F]) pages(t *testing.T, s forge.Store) {
	const count = 53
	r := seeded(t)
	var ids []string
	for range count {
		record := random[T](r)
		*idOf(record) = []string{"a", "B", "-", "ä", "Z", "0"}[r.IntN(6)] + id()
		ids = append(ids, *idOf(record))
		insert(t, s, tt.table, record)
	}
	slices.Sort(ids)
	for _, newest := range []bool{false, true} {
		for _, limit := range []int{1, 7, count - 1, count, count + 1, 0, -1, forge.MaxPage + 1} {
			require.Equal(t, ids, tt.walk(t, s, forge.Page{Limit: limit, Newest: newest}))
		}
		slices.Reverse(ids)
	}
	require.Empty(t, list(t, s, tt.table, *new(F), forge.Page{After: "\U0010ffff"}))
	require.Empty(t, list(t, s, tt.table, *new(F), forge.Page{After: " ", Newest: true}))
	require.Len(t, list(t, s, tt.table, *new(F), forge.Page{After: "c"}), len(tt.walk(t, s, forge.Page{After: "c"})),
		"After need not be there")
}

// walk returns the ids of all pages from one on.
func (tt tableTests[T, F]) walk(t *testing.T, s forge.Store, p forge.Page) []string {
	t.Helper()
	var ids []string
	for {
		page := list(t, s, tt.table, *new(F), p)
		require.LessOrEqual(t, len(page), p.Size())
		for _, record := range page {
			ids = append(ids, *idOf(record))
		}
		if len(page) < p.Size() {
			return ids
		}
		p.After = ids[len(ids)-1]
	}
}

// growing checks the default and the bound of a page, and that a page is not
// moved by what is inserted before it.
func (tt tableTests[T, F]) growing(t *testing.T, s forge.Store) {
	r := seeded(t)
	add := func(count int) {
		var records []*T
		for range count {
			record := random[T](r)
			*idOf(record) = id()
			records = append(records, record)
		}
		insert(t, s, tt.table, records...)
	}
	add(forge.MaxPage + 1)
	require.Len(t, list(t, s, tt.table, *new(F), forge.Page{}), 100)
	require.Len(t, list(t, s, tt.table, *new(F), forge.Page{Limit: forge.MaxPage + 1}), forge.MaxPage)

	newest := forge.Page{Limit: 10, Newest: true}
	first := list(t, s, tt.table, *new(F), newest)
	newest.After = *idOf(first[9])
	second := list(t, s, tt.table, *new(F), newest)
	add(5)
	again := list(t, s, tt.table, *new(F), newest)
	for i := range second {
		require.Equal(t, normal(second[i]), normal(again[i]))
	}
}

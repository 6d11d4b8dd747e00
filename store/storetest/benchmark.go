package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// Benchmark measures a store: inserts, reads, updates and pages of actions
// among 10,000 of them, and logs of lines of 80 bytes.
func Benchmark(b *testing.B, open func(b *testing.B) forge.Store) {
	b.Run("Insert", func(b *testing.B) {
		s := open(b)
		action := random[forge.Action](seeded(b))
		for b.Loop() {
			action.ID = id()
			action.IdempotencyKey, action.Parent, action.Subject.ID = action.ID, action.ID, action.ID
			insert(b, s, forge.Tx.Actions, action)
		}
	})
	b.Run("Get", func(b *testing.B) {
		s := open(b)
		ids := manyActions(b, s)
		for i := 0; b.Loop(); i++ {
			get(b, s, forge.Tx.Actions, ids[i%len(ids)])
		}
	})
	b.Run("List", func(b *testing.B) {
		s := open(b)
		ids := manyActions(b, s)
		for i := 0; b.Loop(); i++ {
			page := forge.Page{After: ids[i%(len(ids)-200)]}
			require.Len(b, list(b, s, forge.Tx.Actions, forge.ActionFilter{Owner: "ann"}, page), page.Size())
		}
	})
	b.Run("Update", func(b *testing.B) {
		s := open(b)
		ids := manyActions(b, s)
		for i := 0; b.Loop(); i++ {
			update(b, s, func(tx forge.Tx) error {
				action, err := tx.Actions().Get(ids[i%len(ids)])
				if err != nil {
					return err
				}
				action.Lease = tx.Now()
				return tx.Actions().Update(action)
			})
		}
	})
	b.Run("Append5000", func(b *testing.B) {
		s := open(b)
		l := newLogger(b, s)
		lines := numbered(0, 5000, 80)
		b.SetBytes(5000 * 80)
		for b.Loop() {
			require.NoError(b, l.append(b.Context(), s, lines...))
		}
	})
	b.Run("Append1", func(b *testing.B) {
		s := open(b)
		l := newLogger(b, s)
		line := numbered(0, 1, 80)[0]
		for b.Loop() {
			require.NoError(b, l.append(b.Context(), s, line))
		}
	})
	b.Run("Read1000000", func(b *testing.B) {
		s := open(b)
		l := newLogger(b, s)
		for from := int64(0); from < 1_000_000; from += 5000 {
			require.NoError(b, l.append(b.Context(), s, numbered(from, 5000, 80)...))
		}
		b.SetBytes(1_000_000 * 80)
		for b.Loop() {
			next := int64(0)
			for line, err := range s.Log(b.Context(), l.id, 0) {
				if err != nil || line.Number != next {
					b.Fatal(line.Number, next, err)
				}
				next++
			}
			require.EqualValues(b, 1_000_000, next)
		}
	})
}

// manyActions inserts 10,000 actions of one owner.
func manyActions(b *testing.B, s forge.Store) []string {
	r := seeded(b)
	var ids []string
	for range 10 {
		var records []*forge.Action
		for range 1000 {
			action := random[forge.Action](r)
			action.ID, action.Owner = id(), "ann"
			ids, records = append(ids, action.ID), append(records, action)
		}
		insert(b, s, forge.Tx.Actions, records...)
	}
	return ids
}

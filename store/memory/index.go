package memory

import (
	"encoding/binary"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge"
)

// entry is one thing that a record is found by. The tree of entries has its key
// with the record's id behind it, so that the ids of one key are in order.
type entry struct {
	key    string
	unique string // the field that is at fault when two records have it
}

// key joins the parts so that no two lists of parts make the same key, nor one
// the beginning of another's of the same length.
func key(parts ...string) string {
	var b []byte
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return string(b)
}

// sortable returns a part of a key that sorts as the time does.
func sortable(t time.Time) string {
	micros := uint64(t.UnixMicro()) //nolint:gosec // its bits; with the sign's turned, they sort as the number does
	return string(binary.BigEndian.AppendUint64(nil, micros^1<<63))
}

// found is an entry for a field; none when a value is empty.
func found(field string, values ...string) []entry {
	if slices.Contains(values, "") {
		return nil
	}
	return []entry{{key: key(append([]string{field}, values...)...)}}
}

// at is an entry for a time; none when it is zero.
func at(field string, t time.Time) []entry {
	if t.IsZero() {
		return nil
	}
	return found(field, sortable(t))
}

// unique is an entry that one record alone may have.
func unique(field string, values ...string) []entry {
	return []entry{{key: key(append([]string{field}, values...)...), unique: field}}
}

// idempotency is the entry for the idempotency key of an owner, if there is
// one. The owner is behind, as a filter may name the key alone.
func idempotency(owner, value string) []entry {
	if value == "" {
		return nil
	}
	return unique("idempotency_key", value, owner)
}

// lookup is a part of the entries. The zero value is all records.
type lookup struct {
	first, last string // prefixes of the first and the last key; both are within
	sorted      bool   // only ids follow first, so that they are in order
}

func (l lookup) set() bool { return l.first != "" }

// by finds the records with an entry of just these values.
func by(field string, values ...string) lookup {
	if slices.Contains(values, "") {
		return lookup{}
	}
	k := key(append([]string{field}, values...)...)
	return lookup{first: k, last: k, sorted: true}
}

// among finds the records whose entry of a field begins with the value.
func among(field, value string) lookup {
	l := by(field, value)
	l.sorted = false
	return l
}

// until finds the records whose entry of a field is a time up to t.
func until(field string, t time.Time) lookup {
	if t.IsZero() {
		return lookup{}
	}
	return lookup{first: key(field), last: key(field, sortable(t))}
}

// first returns the first lookup that is set.
func first(lookups ...lookup) lookup {
	for _, l := range lookups {
		if l.set() {
			return l
		}
	}
	return lookup{}
}

// walk calls visit with the keys of an ordered tree and their ids, from a key on.
type walk func(from string, visit func(key, id string) bool)

// ids yields the ids of a page's records, in its order and without its limit.
func (t *table[T, F]) ids(l lookup, p forge.Page) iter.Seq[string] {
	switch {
	case !l.set():
		return inOrder(t.rowsFrom(t.rows.Ascend), t.rowsFrom(t.rows.Descend), "", p)
	case l.sorted:
		return inOrder(t.found.Ascend, t.found.Descend, l.first, p)
	}
	return t.collected(l, p)
}

func (t *table[T, F]) rowsFrom(next func(string, func(string, *T) bool)) walk {
	return func(from string, visit func(key, id string) bool) {
		next(from, func(id string, _ *T) bool { return visit(id, id) })
	}
}

// inOrder yields the ids that follow the prefix, one way or the other. Ids are
// valid UTF-8, so that none is behind 0xff.
func inOrder(up, down walk, prefix string, p forge.Page) iter.Seq[string] {
	next, from := up, prefix+p.After
	if p.Newest {
		next = down
		if p.After == "" {
			from = prefix + "\xff"
		}
	}
	return func(yield func(string) bool) {
		next(from, func(key, id string) bool {
			if !strings.HasPrefix(key, prefix) {
				return false
			}
			return !beyond(id, p) || yield(id)
		})
	}
}

// collected yields the ids in a lookup that does not have them in order.
func (t *table[T, F]) collected(l lookup, p forge.Page) iter.Seq[string] {
	var ids []string
	t.found.Ascend(l.first, func(key, id string) bool {
		within := key <= l.last || strings.HasPrefix(key, l.last)
		if within && beyond(id, p) {
			ids = append(ids, id)
		}
		return within
	})
	slices.Sort(ids)
	if p.Newest {
		slices.Reverse(ids)
	}
	return slices.Values(ids)
}

// beyond reports whether an id is on the page or a later one.
func beyond(id string, p forge.Page) bool {
	switch {
	case p.After == "":
		return true
	case p.Newest:
		return id < p.After
	}
	return id > p.After
}

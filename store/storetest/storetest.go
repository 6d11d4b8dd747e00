// Package storetest is the suite that every forge.Store passes. An adapter
// calls Test and Benchmark from its own tests:
//
//	func TestStore(t *testing.T) {
//		storetest.Test(t, func(t *testing.T) forge.Store { return open(t) })
//	}
//
// Beyond what the interfaces in package forge say, a store
//
//   - keeps times to the microsecond, in any zone, and zero times as zero;
//   - keeps any valid UTF-8 without NUL, of any length where it does not
//     select by it, and compares and orders texts byte by byte;
//   - never fails for any other text, wherever it is: it may keep it as it is,
//     or with U+FFFD in place of each NUL and of what is not UTF-8, and then
//     takes what it is asked for in the same way;
//   - may return an empty list or map as nil;
//   - checks no references between records, and no values of a status;
//   - goes on after an Insert that failed with forge.ErrConflict: the
//     transaction can still read, write and commit;
//   - names these fields in a conflict: "id", "idempotency_key", "domain",
//     "fingerprint", "key" (of a grant, and of a delivery), "digest" (of a
//     delivery), "status" (of a deployment), "epoch" and "cursor" (of AppendLog);
//   - refuses with forge.ErrInvalid lines whose count does not fit the cursors,
//     and those of an unknown type; it does so before it stores any;
//   - goes on with a log whose lines were dropped at the cursor, and yields
//     those that were stored since with the numbers that they were given;
//   - selects by EndedBefore and CreatedBefore what is strictly before that
//     time, and never what has no such time;
//   - starts before the oldest event that it has when it is asked for those
//     after forge.Beginning; it remembers how far it dropped events, also where
//     it dropped all, and never gives a sequence twice;
//   - removes the lines of an action with it, and takes an action that it does
//     not have to have no lines.
package storetest

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// Test runs the suite. Each call of open returns a store of its own, which is
// empty; what it opened is closed with t.Cleanup. For a store that passes all and
// is opened in another way, it can run only some groups of tests.
func Test(t *testing.T, open func(t *testing.T) forge.Store, only ...string) {
	groups := []struct {
		name string
		test func(t *testing.T, open func(t *testing.T) forge.Store)
	}{
		{"Records", testRecords},
		{"Texts", testTexts},
		{"Filters", testFilters},
		{"Unique", testUnique},
		{"Transactions", testTransactions},
		{"Context", testContext},
		{"Logs", testLogs},
		{"AppendLog", testAppendLog},
		{"Drop", testDrop},
		{"Events", testEvents},
		{"Notifier", testNotifier},
	}
	some := len(only) > 0
	for _, g := range groups {
		if i := slices.Index(only, g.name); i >= 0 {
			only = slices.Delete(slices.Clone(only), i, i+1)
		} else if some {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			g.test(t, open)
		})
	}
	require.Empty(t, only, "there are no such groups")
}

// each runs tests in parallel, each with a store of its own.
func each(t *testing.T, open func(t *testing.T) forge.Store, tests map[string]func(*testing.T, forge.Store)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// id returns a new id.
func id() string { return uuid.Must(uuid.NewV7()).String() }

func update(t testing.TB, s forge.Store, fn func(forge.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), fn))
}

func view(t testing.TB, s forge.Store, fn func(forge.Tx) error) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), fn))
}

// of picks a table, such as forge.Tx.Servers.
type of[T, F any] func(forge.Tx) forge.Table[T, F]

func insert[T, F any](t testing.TB, s forge.Store, table of[T, F], records ...*T) {
	t.Helper()
	update(t, s, func(tx forge.Tx) error {
		for _, r := range records {
			if err := table(tx).Insert(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func get[T, F any](t testing.TB, s forge.Store, table of[T, F], id string) *T {
	t.Helper()
	var got *T
	view(t, s, func(tx forge.Tx) (err error) {
		got, err = table(tx).Get(id)
		return err
	})
	return got
}

func list[T, F any](t testing.TB, s forge.Store, table of[T, F], f F, p forge.Page) []*T {
	t.Helper()
	var got []*T
	view(t, s, func(tx forge.Tx) (err error) {
		got, err = table(tx).List(f, p)
		return err
	})
	return got
}

// requireConflict checks that err is a conflict about a field.
func requireConflict(t testing.TB, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, forge.ErrConflict)
	var e *forge.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, field, e.Field)
}

// seeded returns a source of random values that is named in the test's output.
func seeded(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// onlyConflict returns the error unless it is a conflict.
func onlyConflict(err error) error {
	if errors.Is(err, forge.ErrConflict) {
		return nil
	}
	return err
}

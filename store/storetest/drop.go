package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

func testDrop(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"Log":           testDropLog,
		"LogEnded":      testDropLogEnded,
		"LogRolledBack": testDropLogRolledBack,
		"LogWhileRead":  testDropLogWhileRead,
		"Events":        testDropEvents,
		"EventsAll":     testDropEventsAll,
		"EventsOfATime": testDropEventsOfATime,
	})
}

func dropLog(t testing.TB, s forge.Store, action string) {
	t.Helper()
	update(t, s, func(tx forge.Tx) error { return tx.DropLog(action) })
}

// testDropLog drops the log of an action that is under way: its cursor stays,
// and what is appended comes behind it.
func testDropLog(t *testing.T, s forge.Store) {
	l, other := newLogger(t, s), newLogger(t, s)
	require.NoError(t, l.append(t.Context(), s, numbered(0, 5000, 100)...))
	require.NoError(t, other.append(t.Context(), s, numbered(0, 5, 0)...))
	dropLog(t, s, l.id)
	require.Empty(t, readLog(t, s, l.id, 0))
	require.Len(t, readLog(t, s, other.id, 0), 5)
	require.Equal(t, l.cursor, get(t, s, forge.Tx.Actions, l.id).Cursor)

	err := s.Update(t.Context(), func(tx forge.Tx) error {
		return tx.AppendLog(l.id, 0, forge.Cursor{}, forge.Cursor{Line: 1}, numbered(0, 1, 0))
	})
	requireConflict(t, err, "cursor")
	more := numbered(5000, 3000, 100)
	require.NoError(t, l.append(t.Context(), s, more...))
	for _, from := range []int64{0, 4999, 5000} {
		require.Equal(t, more, readLog(t, s, l.id, from))
	}
	require.Equal(t, more[7:], readLog(t, s, l.id, 5007))

	dropLog(t, s, l.id)
	dropLog(t, s, l.id)
	dropLog(t, s, id())
	require.Empty(t, readLog(t, s, l.id, 0))
	require.Equal(t, l.cursor, get(t, s, forge.Tx.Actions, l.id).Cursor)
}

func testDropLogEnded(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	require.NoError(t, l.append(t.Context(), s, numbered(0, 1000, 80)...))
	update(t, s, func(tx forge.Tx) error {
		a, err := tx.Actions().Get(l.id)
		if err != nil {
			return err
		}
		a.Status, a.LogRemoved = forge.ActionFinished, tx.Now()
		if err := tx.Actions().Update(a); err != nil {
			return err
		}
		return tx.DropLog(l.id)
	})
	require.Empty(t, readLog(t, s, l.id, 0))
	require.Equal(t, l.cursor, get(t, s, forge.Tx.Actions, l.id).Cursor)
	update(t, s, func(tx forge.Tx) error { return tx.Actions().Delete(l.id) })
}

func testDropLogRolledBack(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	lines := numbered(0, 10, 0)
	require.NoError(t, l.append(t.Context(), s, lines...))
	err := s.Update(t.Context(), func(tx forge.Tx) error {
		require.NoError(t, tx.DropLog(l.id))
		return errChanged
	})
	require.ErrorIs(t, err, errChanged)
	require.Equal(t, lines, readLog(t, s, l.id, 0))

	// Dropped and appended to in one transaction.
	update(t, s, func(tx forge.Tx) error {
		if err := tx.DropLog(l.id); err != nil {
			return err
		}
		return tx.AppendLog(l.id, 0, l.cursor, l.after(numbered(10, 2, 0)), numbered(10, 2, 0))
	})
	require.Len(t, readLog(t, s, l.id, 0), 2)
}

// testDropLogWhileRead drops a log in the middle of its reading, which ends
// earlier, and without an error.
func testDropLogWhileRead(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	for from := int64(0); from < 20_000; from += 2000 {
		require.NoError(t, l.append(t.Context(), s, numbered(from, 2000, 200)...))
	}
	var next int64
	for line, err := range s.Log(t.Context(), l.id, 0) {
		require.NoError(t, err)
		require.Equal(t, next, line.Number)
		if next == 10 {
			dropLog(t, s, l.id)
		}
		next++
	}
	require.Greater(t, next, int64(10))
}

// emitLater emits events in transactions of their own until the store's clock
// has gone on, and returns the first event of the new time.
func emitLater(t *testing.T, s forge.Store) forge.Event {
	t.Helper()
	before := events(t, s, last(t, s)-1, 1)[0]
	for {
		require.NoError(t, emit(t.Context(), s, forge.Event{Type: forge.EventLog}))
		now := events(t, s, last(t, s)-1, 1)[0]
		if now.Time.After(before.Time) {
			return now
		}
	}
}

func dropEvents(t *testing.T, s forge.Store, before time.Time) {
	t.Helper()
	update(t, s, func(tx forge.Tx) error { return tx.DropEvents(before) })
}

// requireDropped checks that events after a sequence cannot be had any more.
func requireDropped(t *testing.T, s forge.Store, after int64) {
	t.Helper()
	_ = s.View(t.Context(), func(tx forge.Tx) error {
		_, err := tx.Events(after, 10)
		require.ErrorIs(t, err, forge.ErrState)
		return nil
	})
}

func testDropEvents(t *testing.T, s forge.Store) {
	require.NoError(t, emit(t.Context(), s, step(0), step(1), step(2)))
	oldest := events(t, s, forge.Beginning, 1)[0]
	first := emitLater(t, s)
	require.NoError(t, emit(t.Context(), s, step(3), step(4)))
	all, end := events(t, s, forge.Beginning, 1000), last(t, s)

	dropEvents(t, s, oldest.Time)
	require.Equal(t, all, events(t, s, 0, 1000), "nothing is that old")

	err := s.Update(t.Context(), func(tx forge.Tx) error {
		require.NoError(t, tx.DropEvents(first.Time))
		return errChanged
	})
	require.ErrorIs(t, err, errChanged)
	require.Equal(t, all, events(t, s, 0, 1000))

	dropEvents(t, s, first.Time)
	kept := all[len(all)-3:]
	require.Equal(t, first, kept[0])
	require.Equal(t, kept, events(t, s, forge.Beginning, 1000))
	require.Equal(t, kept, events(t, s, first.Seq-1, 1000), "who saw the last one that was dropped misses none")
	require.Equal(t, kept[1:], events(t, s, first.Seq, 1000))
	require.Equal(t, end, last(t, s))
	for _, e := range all[:len(all)-3] {
		if e.Seq < first.Seq-1 {
			requireDropped(t, s, e.Seq)
		}
	}
	requireDropped(t, s, 0)
}

func testDropEventsAll(t *testing.T, s forge.Store) {
	dropEvents(t, s, time.Now().Add(time.Hour))
	require.Zero(t, last(t, s))
	require.Empty(t, events(t, s, 0, 10))

	require.NoError(t, emit(t.Context(), s, step(0), step(1)))
	end := last(t, s)
	dropEvents(t, s, time.Now().Add(time.Hour))
	require.Empty(t, events(t, s, forge.Beginning, 10))
	require.Empty(t, events(t, s, end, 10))
	require.Equal(t, end, last(t, s))
	requireDropped(t, s, 0)

	require.NoError(t, emit(t.Context(), s, step(2)))
	require.Greater(t, last(t, s), end)
	require.Equal(t, 2, events(t, s, end, 10)[0].Step)
	require.Len(t, events(t, s, forge.Beginning, 10), 1)
	requireDropped(t, s, 0)
}

// testDropEventsOfATime checks that the events of one transaction, which have
// one time, stay together.
func testDropEventsOfATime(t *testing.T, s forge.Store) {
	require.NoError(t, emit(t.Context(), s, step(0)))
	emitLater(t, s)
	at := emitLater(t, s)
	dropEvents(t, s, at.Time)
	kept := events(t, s, forge.Beginning, 10)
	require.Equal(t, []forge.Event{at}, kept)
	dropEvents(t, s, at.Time.Add(time.Microsecond))
	require.Empty(t, events(t, s, forge.Beginning, 10))
	require.Empty(t, events(t, s, at.Seq, 10))
}

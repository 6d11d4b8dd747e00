package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
)

func testAppendLog(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"Stale":   testAppendStale,
		"Wrong":   testAppendWrong,
		"NoLines": testAppendNoLines,
		"Racing":  testAppendRacing,
		"Several": testAppendSeveral,
		"Dropped": testAppendDropped,
	})
}

// testAppendStale checks that whoever does not know the end of the log, or was
// relieved, appends nothing.
func testAppendStale(t *testing.T, s forge.Store) {
	start := forge.Cursor{Run: "run", Offset: 7, Line: 0, Bytes: 3}
	end := forge.Cursor{Run: "run", Offset: 20, Line: 2, Bytes: 12}
	action := &forge.Action{ID: id(), Epoch: 5, Cursor: start}
	insert(t, s, forge.Tx.Actions, action)
	lines := numbered(0, 2, 0)

	for _, from := range []forge.Cursor{
		{Run: "other", Offset: 7, Line: 0, Bytes: 3},
		{Run: "run", Offset: 8, Line: 0, Bytes: 3},
		{Run: "run", Offset: 7, Line: 1, Bytes: 3},
		{Run: "run", Offset: 7, Line: 0, Bytes: 2},
	} {
		to := end
		to.Line = from.Line + 2
		err := s.Update(t.Context(), func(tx forge.Tx) error { return tx.AppendLog(action.ID, 5, from, to, lines) })
		requireConflict(t, err, "cursor")
	}
	for _, epoch := range []int64{0, 4, 6} {
		err := s.Update(t.Context(), func(tx forge.Tx) error { return tx.AppendLog(action.ID, epoch, start, end, lines) })
		requireConflict(t, err, "epoch")
	}
	require.Empty(t, readLog(t, s, action.ID, 0))
	require.Equal(t, start, get(t, s, forge.Tx.Actions, action.ID).Cursor)

	again := func(tx forge.Tx) error { return tx.AppendLog(action.ID, 5, start, end, lines) }
	update(t, s, again)
	requireConflict(t, s.Update(t.Context(), again), "cursor")
	require.Equal(t, lines, readLog(t, s, action.ID, 0))
	require.Equal(t, end, get(t, s, forge.Tx.Actions, action.ID).Cursor)
}

func testAppendWrong(t *testing.T, s forge.Store) {
	err := s.Update(t.Context(), func(tx forge.Tx) error {
		return tx.AppendLog(id(), 0, forge.Cursor{}, forge.Cursor{Line: 1}, numbered(0, 1, 0))
	})
	require.ErrorIs(t, err, forge.ErrNotFound)

	l := newLogger(t, s)
	err = s.Update(t.Context(), func(tx forge.Tx) error {
		return tx.AppendLog(l.id, 0, forge.Cursor{}, forge.Cursor{Line: 2}, numbered(0, 1, 0))
	})
	require.ErrorIs(t, err, forge.ErrInvalid)

	lines := []forge.Line{{Type: forge.LineOutput}, {Type: "other"}}
	update(t, s, func(tx forge.Tx) error {
		require.ErrorIs(t, tx.AppendLog(l.id, 0, l.cursor, l.after(lines), lines), forge.ErrInvalid)
		return nil
	})
	require.Zero(t, get(t, s, forge.Tx.Actions, l.id).Cursor)
	require.Empty(t, readLog(t, s, l.id, 0))
	require.NoError(t, l.append(t.Context(), s, numbered(0, 3, 0)...))
}

// testAppendNoLines moves the cursor alone, as when another run begins.
func testAppendNoLines(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	require.NoError(t, l.append(t.Context(), s, numbered(0, 3, 0)...))
	next := forge.Cursor{Run: "next", Line: 3, Bytes: l.cursor.Bytes}
	update(t, s, func(tx forge.Tx) error { return tx.AppendLog(l.id, 0, l.cursor, next, nil) })
	require.Equal(t, next, get(t, s, forge.Tx.Actions, l.id).Cursor)
	l.cursor = next
	require.NoError(t, l.append(t.Context(), s, numbered(3, 3, 0)...))
	require.Len(t, readLog(t, s, l.id, 0), 6)
}

// testAppendRacing has several append the same lines, of which each is stored
// once.
func testAppendRacing(t *testing.T, s forge.Store) {
	const racers, rounds = 6, 20
	action := newLogger(t, s).id
	var group errgroup.Group
	for range racers {
		group.Go(func() error {
			l := logger{id: action}
			for n := range int64(rounds) {
				line := numbered(n, 1, 0)[0]
				to := l.after([]forge.Line{line})
				if err := onlyConflict(l.append(t.Context(), s, line)); err != nil {
					return err
				}
				l.cursor = to
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	got := readLog(t, s, action, 0)
	require.Len(t, got, rounds)
	for n, line := range got {
		require.Equal(t, numbered(int64(n), 1, 0)[0].Text, line.Text)
	}
}

// testAppendSeveral appends more than once in one transaction, along with a
// change of the action.
func testAppendSeveral(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	lines := numbered(0, 6, 0)
	cursors := []forge.Cursor{l.cursor, l.after(lines[:2]), l.after(lines[:6])}
	update(t, s, func(tx forge.Tx) error {
		if err := tx.AppendLog(l.id, 0, cursors[0], cursors[1], lines[:2]); err != nil {
			return err
		}
		a, err := tx.Actions().Get(l.id)
		if err != nil {
			return err
		}
		require.Equal(t, cursors[1], a.Cursor)
		a.Epoch = 1
		if err := tx.Actions().Update(a); err != nil {
			return err
		}
		return tx.AppendLog(l.id, 1, cursors[1], cursors[2], lines[2:])
	})
	require.Equal(t, lines, readLog(t, s, l.id, 0))
	require.Equal(t, cursors[2], get(t, s, forge.Tx.Actions, l.id).Cursor)
}

// testAppendDropped appends other lines, and emits other events, in the place
// of those of a transaction that was dropped.
func testAppendDropped(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	say := func(text string, result error) error {
		line := forge.Line{Text: text}
		to := l.after([]forge.Line{line})
		err := s.Update(t.Context(), func(tx forge.Tx) error {
			tx.Emit(forge.Event{Type: forge.EventLog, Name: text})
			if err := tx.AppendLog(l.id, 0, l.cursor, to, []forge.Line{line}); err != nil {
				return err
			}
			return result
		})
		if err == nil {
			l.cursor = to
		}
		return err
	}
	for range 50 {
		require.NoError(t, say("kept", nil))
		require.ErrorIs(t, say("dropped", errChanged), errChanged)
	}
	lines := readLog(t, s, l.id, 0)
	require.Len(t, lines, 50)
	emitted := events(t, s, 0, 1000)
	require.Len(t, emitted, 50)
	for i := range lines {
		require.Equal(t, "kept", lines[i].Text)
		require.Equal(t, "kept", emitted[i].Name)
	}
}

package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
)

func testLogs(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"RoundTrip":  testLogRoundTrip,
		"From":       testLogFrom,
		"OneByOne":   testLogOneByOne,
		"Ended":      testLogEnded,
		"Concurrent": testLogConcurrent,
		"NoLock":     testLogNoLock,
		"Growing":    testLogGrowing,
		"Stop":       testLogStop,
		"Separate":   testLogSeparate,
	})
}

// logger appends lines to the log of an action.
type logger struct {
	id     string
	cursor forge.Cursor
}

func newLogger(t testing.TB, s forge.Store) *logger {
	l := &logger{id: id()}
	insert(t, s, forge.Tx.Actions, &forge.Action{ID: l.id, Status: forge.ActionRunning})
	return l
}

func (l *logger) after(lines []forge.Line) forge.Cursor {
	c := l.cursor
	for _, line := range lines {
		c.Line++
		c.Bytes += int64(len(line.Text))
		c.Offset += int64(len(line.Text)) + 1
	}
	return c
}

func (l *logger) append(ctx context.Context, s forge.Store, lines ...forge.Line) error {
	to := l.after(lines)
	err := s.Update(ctx, func(tx forge.Tx) error { return tx.AppendLog(l.id, 0, l.cursor, to, lines) })
	if err == nil {
		l.cursor = to
	}
	return err
}

// numbered returns lines whose texts say their numbers.
func numbered(from, count int64, width int) []forge.Line {
	lines := make([]forge.Line, count)
	now := time.Now().UTC().Truncate(time.Microsecond)
	for i := range lines {
		n := from + int64(i)
		text := fmt.Sprintf("%d %x", n, n*2654435761)
		text += strings.Repeat(".", max(0, width-len(text)))
		lines[i] = forge.Line{Number: n, Time: now, Type: forge.LineOutput, Text: text}
	}
	return lines
}

func readLog(t testing.TB, s forge.Store, action string, from int64) []forge.Line {
	t.Helper()
	var lines []forge.Line
	for line, err := range s.Log(t.Context(), action, from) {
		require.NoError(t, err)
		line.Time = line.Time.UTC()
		lines = append(lines, line)
	}
	return lines
}

func testLogRoundTrip(t *testing.T, s forge.Store) {
	l, r := newLogger(t, s), seeded(t)
	texts := []string{"", " ", "plain", "ünïcödé 語 🚀 \u2028 \ufffd \U0010ffff", "\x1b[31mred\x1b[0m\r\t\x01", "'; --\\",
		strings.Repeat("x", 64<<10), "\n", ""}
	zone := time.FixedZone("", 3600)
	var want []forge.Line
	for range 30 {
		var lines []forge.Line
		for range r.IntN(20) {
			at := time.UnixMicro(r.Int64N(4e15)).In(zone) // in any order
			types := []forge.LineType{forge.LineOutput, forge.LineError, forge.LineSystem}
			lines = append(lines, forge.Line{Time: at, Type: types[r.IntN(3)], Text: texts[r.IntN(len(texts))]})
		}
		require.NoError(t, l.append(t.Context(), s, lines...))
		for _, line := range lines {
			line.Number, line.Time = int64(len(want)), line.Time.UTC()
			want = append(want, line)
		}
	}
	require.Equal(t, want, readLog(t, s, l.id, 0))
	require.Equal(t, l.cursor, get(t, s, forge.Tx.Actions, l.id).Cursor)
}

// testLogFrom reads a log of large batches from everywhere.
func testLogFrom(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	var want []forge.Line
	edges := []int64{0}
	for i, count := range []int64{5000, 1, 5000, 20, 3000, 5000, 7} {
		lines := numbered(l.cursor.Line, count, 20*i)
		require.NoError(t, l.append(t.Context(), s, lines...))
		want = append(want, lines...)
		edges = append(edges, l.cursor.Line)
	}
	r := seeded(t)
	for _, edge := range append(edges, r.Int64N(l.cursor.Line), r.Int64N(l.cursor.Line)) {
		for from := max(0, edge-1); from <= edge+1; from++ {
			got := readLog(t, s, l.id, from)
			require.Len(t, got, int(max(0, l.cursor.Line-from)), "from %d", from)
			if len(got) > 0 {
				require.True(t, slices.Equal(want[from:], got), "from %d", from)
			}
		}
	}
	require.Empty(t, readLog(t, s, l.id, 1<<60))
}

// testLogOneByOne appends many small batches, as a slow command has them.
func testLogOneByOne(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	want := numbered(0, 400, 1000)
	for _, line := range want {
		require.NoError(t, l.append(t.Context(), s, line))
	}
	for _, from := range []int64{0, 1, 199, 399, 400} {
		require.Len(t, readLog(t, s, l.id, from), int(400-from))
	}
	require.Equal(t, want, readLog(t, s, l.id, 0))
}

// testLogEnded reads a log, and adds to it, after its action ended.
func testLogEnded(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	want := numbered(0, 1000, 80)
	require.NoError(t, l.append(t.Context(), s, want[:990]...))
	update(t, s, func(tx forge.Tx) error {
		a, err := tx.Actions().Get(l.id)
		if err != nil {
			return err
		}
		a.Status = forge.ActionFinished
		return tx.Actions().Update(a)
	})
	require.Equal(t, want[:990], readLog(t, s, l.id, 0))
	require.NoError(t, l.append(t.Context(), s, want[990:]...))
	require.Equal(t, want[985:], readLog(t, s, l.id, 985))
}

// testLogConcurrent reads a log again and again while it grows.
func testLogConcurrent(t *testing.T, s forge.Store) {
	const count, batch = 6000, 60
	l := newLogger(t, s)
	var group errgroup.Group
	group.Go(func() error {
		for from := int64(0); from < count; from += batch {
			if err := l.append(t.Context(), s, numbered(from, batch, 100)...); err != nil {
				return err
			}
		}
		return nil
	})
	for range 3 {
		group.Go(func() error {
			for next := int64(0); next < count; {
				for line, err := range s.Log(t.Context(), l.id, next) {
					if err != nil {
						return err
					}
					if want := numbered(next, 1, 100)[0]; line.Number != next || line.Text != want.Text {
						return fmt.Errorf("line %d is %d %q", next, line.Number, line.Text)
					}
					next++
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
}

// testLogNoLock uses the store while a line is worked on.
func testLogNoLock(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	require.NoError(t, l.append(t.Context(), s, numbered(0, 10, 0)...))
	seen := 0
	for line, err := range s.Log(t.Context(), l.id, 0) {
		require.NoError(t, err)
		insert(t, s, forge.Tx.Locks, &forge.Lock{Key: line.Text})
		require.Len(t, readLog(t, s, l.id, line.Number), 10-seen)
		seen++
	}
	require.Equal(t, 10, seen)
}

// testLogGrowing appends while a line is worked on, which changes none of those
// that come next.
func testLogGrowing(t *testing.T, s forge.Store) {
	const count = 3000
	l := newLogger(t, s)
	require.NoError(t, l.append(t.Context(), s, numbered(0, 10, 1000)...))
	next := int64(0)
	for line, err := range s.Log(t.Context(), l.id, 0) {
		require.NoError(t, err)
		want := numbered(next, 1, 1000)[0]
		require.Equal(t, want.Number, line.Number)
		require.Equal(t, want.Text, line.Text)
		next++
		if l.cursor.Line < count {
			require.NoError(t, l.append(t.Context(), s, numbered(l.cursor.Line, 299, 1000)...))
		}
	}
	require.GreaterOrEqual(t, next, int64(10))
}

func testLogStop(t *testing.T, s forge.Store) {
	l := newLogger(t, s)
	require.NoError(t, l.append(t.Context(), s, numbered(0, 10, 0)...))
	for line := range s.Log(t.Context(), l.id, 0) {
		if line.Number == 3 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range s.Log(ctx, l.id, 0) {
		last = errors.Join(last, err)
	}
	require.ErrorIs(t, last, context.Canceled)
}

func testLogSeparate(t *testing.T, s forge.Store) {
	one, two := newLogger(t, s), newLogger(t, s)
	require.NoError(t, one.append(t.Context(), s, numbered(0, 10, 0)...))
	require.NoError(t, two.append(t.Context(), s, numbered(0, 20, 0)...))
	require.Len(t, readLog(t, s, one.id, 0), 10)
	require.Len(t, readLog(t, s, two.id, 0), 20)
	require.Empty(t, readLog(t, s, id(), 0))

	update(t, s, func(tx forge.Tx) error { return tx.Actions().Delete(one.id) })
	require.Empty(t, readLog(t, s, one.id, 0))
	require.Len(t, readLog(t, s, two.id, 0), 20)
	insert(t, s, forge.Tx.Actions, &forge.Action{ID: one.id})
	require.Empty(t, readLog(t, s, one.id, 0), "a new action has no lines")
}

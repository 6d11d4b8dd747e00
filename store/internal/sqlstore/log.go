package sqlstore

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/chunk"
)

const (
	// chunkSize is about what the lines of a chunk take before compression.
	chunkSize = 512 << 10
	// lineSize is about what a line takes besides its text.
	lineSize = 16
	// readChunks is how many chunks are read at once.
	readChunks = 16
)

// AppendLog stores lines of an action and moves its cursor, in one round trip.
func (t *Tx) AppendLog(actionID string, epoch int64, from, to forge.Cursor, lines []forge.Line) error {
	if err := t.writeErr(); err != nil {
		return err
	}
	if to.Line-from.Line != int64(len(lines)) {
		return &forge.Error{Class: forge.ErrInvalid, Field: "cursor", Rule: "must move by the number of lines"}
	}
	at := cursor(&from)
	holds := append([]any{clean(actionID), epoch}, args(at)...)
	const where = ` WHERE "id" = ? AND "epoch" = ? AND "cursor_run" = ? AND "cursor_offset" = ? AND "cursor_line" = ? AND "cursor_bytes" = ?`
	var stmts []Stmt
	for first, data := range chunks(from.Line, lines) {
		if data.err != nil {
			return data.err
		}
		stmts = append(stmts, t.d.sql(`INSERT INTO {log_chunks} ("action", "first", "data") SELECT "id", ?, ? FROM {actions}`+where,
			append([]any{first, data.packed}, holds...)...))
	}
	next := cursor(&to)
	stmts = append(stmts, t.d.sql(`UPDATE {actions} SET `+assignments(next)+where, append(args(next), holds...)...))
	changed, err := t.exec(stmts...)
	if err != nil || changed[len(changed)-1] == 1 {
		return err
	}
	a, err := t.Actions().Get(actionID)
	if err != nil {
		return err
	}
	if a.Epoch != epoch {
		return &forge.Error{Class: forge.ErrConflict, Field: "epoch", Rule: "the action was handed out again"}
	}
	return &forge.Error{Class: forge.ErrConflict, Field: "cursor", Rule: "the action's log ends elsewhere"}
}

// packed is a chunk, or why there is none.
type packed struct {
	packed []byte
	err    error
}

// chunks yields chunks of the lines, each with the number of its first one.
func chunks(from int64, lines []forge.Line) iter.Seq2[int64, packed] {
	return func(yield func(int64, packed) bool) {
		for len(lines) > 0 {
			n, size := 0, 0
			for n < len(lines) && (n == 0 || size < chunkSize) {
				size += lineSize + len(lines[n].Text)
				n++
			}
			data, err := chunk.Encode(numbered(from, lines[:n]))
			if !yield(from, packed{data, err}) || err != nil {
				return
			}
			from, lines = from+int64(n), lines[n:]
		}
	}
}

// numbered returns lines with their numbers, which the caller's mostly have.
func numbered(from int64, lines []forge.Line) []forge.Line {
	own := false
	for i := range lines {
		if number := from + int64(i); lines[i].Number != number {
			if !own {
				lines, own = slices.Clone(lines), true
			}
			lines[i].Number = number
		}
	}
	return lines
}

// DropLog removes the lines of an action.
func (t *Tx) DropLog(actionID string) error {
	if err := t.writeErr(); err != nil {
		return err
	}
	_, err := t.exec(t.d.dropLog(clean(actionID)))
	return err
}

func (d *Dialect) dropLog(action string) Stmt {
	return d.sql(`DELETE FROM {log_chunks} WHERE "action" = ?`, action)
}

// Reader executes a query outside of a transaction.
type Reader func(ctx context.Context, stmt Stmt, row func(scan func(dest ...any) error) error) error

// Log yields the lines of an action from a number on. It reads some chunks at a
// time, and goes on with what is stored meanwhile.
func (d *Dialect) Log(ctx context.Context, read Reader, actionID string, from int64) iter.Seq2[forge.Line, error] {
	return func(yield func(forge.Line, error) bool) {
		for next := max(from, 0); ; {
			var chunks [][]byte
			err := read(ctx, d.logChunks(actionID, next), func(scan func(...any) error) error {
				var data []byte
				err := scan(&data)
				chunks = append(chunks, data)
				return err
			})
			began := next
			for _, data := range chunks {
				if err != nil {
					break
				}
				var lines []forge.Line
				if lines, err = chunk.Decode(data); err != nil {
					break
				}
				i, _ := slices.BinarySearchFunc(lines, next, func(l forge.Line, n int64) int { return cmp.Compare(l.Number, n) })
				for _, line := range lines[i:] {
					if !yield(line, nil) {
						return
					}
					next = line.Number + 1
				}
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(forge.Line{}, err)
				return
			}
			if next == began {
				return
			}
		}
	}
}

// logChunks selects the chunk that a line is in, and those behind it.
func (d *Dialect) logChunks(action string, from int64) Stmt {
	id := clean(action)
	return d.sql(`SELECT "data" FROM {log_chunks} WHERE "action" = ? AND "first" >= COALESCE(`+
		`(SELECT MAX("first") FROM {log_chunks} WHERE "action" = ? AND "first" <= ?), 0) ORDER BY "first" LIMIT ?`,
		id, id, from, readChunks)
}

package forge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-797f2c2c/forge/internal/lines"
)

const (
	// flushBytes, flushLines and flushEvery say when lines are stored:
	// whichever comes first. They bound what waits for the store, which the reading of the
	// run's output waits for in turn.
	flushBytes = 256 << 10
	flushLines = 8192
	flushEvery = 20 * time.Millisecond
)

// logWriter stores the output of a run as lines of its action. Each write to
// the store moves the cursor together with the lines, so that whatever dies in
// between neither loses nor doubles one.
type logWriter struct {
	ctx   context.Context //nolint:containedctx // of the one handler that it writes for; io.Writer has none
	work  *work
	watch func(t *txn, a *Action, text string) // sees each line as it is stored; may be nil

	mu    sync.Mutex
	split lines.Splitter
	lines []Line
	bytes int // what lines count for
	end   int64
	full  bool // the log has reached its bound
	timer *time.Timer
	done  bool // closed: a timer that comes late stores nothing
	err   error
}

// errLogFull ends the delivery of output that would not be stored.
var errLogFull = errors.New("the log is full")

// newLogWriter goes on where the action's cursor stands. Secrets in what is
// written are masked.
func newLogWriter(ctx context.Context, w *work, mask func(string, bool) string) *logWriter {
	l := &logWriter{ctx: ctx, work: w, end: w.action.Cursor.Offset}
	l.split.Offset, l.split.Mask = l.end, mask
	l.full = w.action.Cursor.Bytes >= w.MaxLog
	return l
}

// Write stores what is due. Its error is that of the store, errLeaseLost, or
// errLogFull.
func (l *logWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.split.Feed(p, l.add)
	l.due()
	if l.full && l.err == nil {
		return len(p), errLogFull
	}
	return len(p), l.err
}

// Close stores the rest, with an unfinished last line where the run has ended.
func (l *logWriter) Close(ended bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ended {
		l.split.Close(l.add)
	}
	l.flush()
	l.done = true
	return l.err
}

func (l *logWriter) add(line lines.Line) {
	l.end = line.End
	switch {
	case l.full:
		return
	case l.work.action.Cursor.Bytes+int64(l.bytes+size(line)) > l.work.MaxLog:
		l.full = true
		text := fmt.Sprintf("the log has reached %d bytes; what follows is not stored, and the run goes on", l.work.MaxLog)
		l.lines = append(l.lines, Line{Type: LineSystem, Text: text})
		return
	}
	l.lines = append(l.lines, Line{Type: LineOutput, Text: line.Text})
	l.bytes += size(line)
	if l.bytes >= flushBytes || len(l.lines) >= flushLines {
		l.flush()
	}
}

// size is what a line counts for: an empty one is not nothing.
func size(line lines.Line) int { return len(line.Text) + 1 }

// due makes sure that a line does not wait for the next one.
func (l *logWriter) due() {
	if len(l.lines) == 0 || l.timer != nil {
		return
	}
	l.timer = time.AfterFunc(flushEvery, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.done {
			l.flush()
		}
	})
}

func (l *logWriter) flush() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.err != nil || len(l.lines) == 0 && l.end == l.work.action.Cursor.Offset {
		return
	}
	from := l.work.action.Cursor
	if l.full {
		l.bytes = int(max(l.work.MaxLog-from.Bytes, 0))
	}
	to := Cursor{Run: from.Run, Offset: l.end, Line: from.Line + int64(len(l.lines)), Bytes: from.Bytes + int64(l.bytes)}
	var stage string
	l.err = l.work.update(l.ctx, func(t *txn, a *Action) error {
		now := t.Now()
		for i := range l.lines {
			l.lines[i].Number, l.lines[i].Time = from.Line+int64(i), now
		}
		if err := t.AppendLog(a.ID, a.Epoch, from, to, l.lines); err != nil {
			return err
		}
		a.Cursor = to
		a.Handouts, a.Tries = 0, 0
		if l.watch != nil {
			for i := range l.lines {
				l.watch(t, a, l.lines[i].Text)
			}
		}
		stage = a.Stage
		emitLog(t, a)
		return t.Actions().Update(a)
	})
	if l.err == nil {
		l.work.action.Cursor, l.work.action.Stage = to, stage
		l.work.action.Tries = 0
	}
	l.lines, l.bytes = l.lines[:0], 0
}

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
	// whichever comes first.
	flushBytes = 256 << 10
	flushLines = 8192
	flushEvery = 20 * time.Millisecond
	// heldBytes and heldLines bound what comes meanwhile. The reading of the run's
	// output waits for the store then.
	heldBytes = 1 << 20
	heldLines = 32768
)

// logWriter stores the output of a run as lines of its action. Each write to
// the store moves the cursor together with the lines, so that whatever dies in
// between neither loses nor doubles one. It reads on while lines are stored: the
// faster a run prints, the more of them the next write has.
type logWriter struct {
	ctx   context.Context //nolint:containedctx // of the one handler that it writes for; io.Writer has none
	work  *work
	watch func(t *txn, a *Action, text string) // sees each line as it is stored; may be nil

	mu      sync.Mutex
	split   lines.Splitter
	held    batch // what comes next
	bytes   int64 // of the log, with what is held
	end     int64
	full    bool // the log has reached its bound
	timer   *time.Timer
	late    bool       // what is held has waited for long enough
	storing bool       // there is a write to the store
	stored  *sync.Cond // it has ended
	spare   []Line     // room for another batch
	done    bool       // closed: a timer that comes late stores nothing
	err     error
}

// batch is what one write to the store has.
type batch struct {
	lines []Line
	bytes int // of the lines
	to    Cursor
}

// errLogFull ends the delivery of output that would not be stored.
var errLogFull = errors.New("the log is full")

// newLogWriter goes on where the action's cursor stands. Secrets in what is
// written are masked.
func newLogWriter(ctx context.Context, w *work, mask func(string, bool) string) *logWriter {
	l := &logWriter{ctx: ctx, work: w, end: w.action.Cursor.Offset, bytes: w.action.Cursor.Bytes}
	l.stored = sync.NewCond(&l.mu)
	l.split.Offset, l.split.Mask = l.end, mask
	l.full = l.bytes >= w.MaxLog
	return l
}

// Write takes what will be stored soon. Its error is that of the store,
// errLeaseLost, or errLogFull.
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
	l.await()
	l.flush()
	l.await()
	l.done = true
	return l.err
}

func (l *logWriter) add(line lines.Line) {
	l.end = line.End
	switch {
	case l.full || l.err != nil:
		return
	case l.bytes+size(line) > l.work.MaxLog:
		l.full = true
		text := fmt.Sprintf("the log has reached %d bytes; what follows is not stored, and the run goes on", l.work.MaxLog)
		l.held.lines = append(l.held.lines, Line{Type: LineSystem, Text: text})
		return
	}
	l.held.lines = append(l.held.lines, Line{Type: LineOutput, Text: line.Text})
	l.held.bytes += int(size(line))
	l.bytes += size(line)
	if l.held.bytes >= heldBytes || len(l.held.lines) >= heldLines {
		l.await()
	}
	if l.enough() {
		l.flush()
	}
}

// size is what a line counts for: an empty one is not nothing.
func size(line lines.Line) int64 { return int64(len(line.Text)) + 1 }

func (l *logWriter) enough() bool {
	return l.held.bytes >= flushBytes || len(l.held.lines) >= flushLines
}

// due makes sure that a line does not wait for the next one.
func (l *logWriter) due() {
	if len(l.held.lines) == 0 || l.timer != nil {
		return
	}
	l.timer = time.AfterFunc(flushEvery, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.done {
			l.late = true
			l.flush()
		}
	})
}

// await waits for the end of a write to the store.
func (l *logWriter) await() {
	for l.storing {
		l.stored.Wait()
	}
}

// flush begins to store what is held, unless something is being stored, whose
// end does it then.
func (l *logWriter) flush() {
	from := l.work.action.Cursor
	if l.storing || l.err != nil || len(l.held.lines) == 0 && l.end == from.Offset {
		return
	}
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	b := l.held
	b.to = Cursor{Run: from.Run, Offset: l.end, Line: from.Line + int64(len(b.lines)), Bytes: from.Bytes + int64(b.bytes)}
	if l.full {
		b.to.Bytes = max(from.Bytes, l.work.MaxLog)
	}
	l.held, l.spare = batch{lines: l.spare[:0]}, nil
	l.late, l.storing = false, true
	go l.store(from, b)
}

// store stores a batch, and goes on with what came meanwhile if it is time.
func (l *logWriter) store(from Cursor, b batch) {
	stage, err := l.append(from, b)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.work.action.Cursor, l.work.action.Stage = b.to, stage
		l.work.action.Tries = 0
	}
	clear(b.lines) // lets go of the texts
	l.err, l.spare, l.storing = err, b.lines, false
	l.stored.Broadcast()
	if l.late || l.enough() {
		l.flush()
	}
}

func (l *logWriter) append(from Cursor, b batch) (stage string, err error) {
	err = l.work.update(l.ctx, func(t *txn, a *Action) error {
		now := t.Now()
		for i := range b.lines {
			b.lines[i].Number, b.lines[i].Time = from.Line+int64(i), now
		}
		if err := t.AppendLog(a.ID, a.Epoch, from, b.to, b.lines); err != nil {
			return err
		}
		a.Cursor = b.to
		a.Handouts, a.Tries = 0, 0
		if l.watch != nil {
			for i := range b.lines {
				l.watch(t, a, b.lines[i].Text)
			}
		}
		stage = a.Stage
		emitLog(t, a)
		return t.Actions().Update(a)
	})
	return stage, err
}

// Package memory keeps forge's records in memory: for tests, for trying forge
// out, and for programs whose records may end with them.
//
// The whole store is one immutable state of copy-on-write trees. A view reads
// the state that was current when it began and holds no lock. An update, one
// at a time, works on a fork of it, which becomes the current state when it
// commits and is dropped when it does not.
package memory

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/seed-797f2c2c/forge"
)

// Config has the settings of a Store. The zero value is ready for use.
type Config struct {
	// Events is how many events are kept. Defaults to 65,536.
	Events int
}

// Store is a forge.Store and forge.Notifier in memory. It is safe for
// concurrent use.
type Store struct {
	events  int
	writer  chan struct{} // holds a token while an update runs
	current atomic.Pointer[version]
}

// version is a state that was committed.
type version struct {
	*state
	more chan struct{} // closed when there are later events
}

var (
	_ forge.Store    = (*Store)(nil)
	_ forge.Notifier = (*Store)(nil)
)

// New returns an empty Store.
func New(c Config) *Store {
	if c.Events <= 0 {
		c.Events = 1 << 16
	}
	s := &Store{events: c.Events, writer: make(chan struct{}, 1)}
	s.current.Store(&version{newState(), make(chan struct{})})
	return s
}

// View calls fn with the state that is current now.
func (s *Store) View(ctx context.Context, fn func(forge.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := newTx(ctx, s.current.Load().state, false)
	defer t.end()
	if err := fn(t); err != nil {
		return err
	}
	return t.err()
}

// Update calls fn, once, when no other update runs, and commits what it did if
// it returns nil and ctx has not ended.
func (s *Store) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writer }()

	was := s.current.Load()
	t := newTx(ctx, was.fork(), true)
	defer t.end()
	if err := fn(t); err != nil {
		return err
	}
	if err := t.err(); err != nil {
		return err
	}
	now := &version{t.state, was.more}
	if len(t.emitted) > 0 {
		now.events = now.events.append(t.emitted, s.events)
		now.more = make(chan struct{})
		defer close(was.more)
	}
	s.current.Store(now)
	return nil
}

// Wait returns when there are events after a sequence, or the error of ctx.
func (s *Store) Wait(ctx context.Context, after int64) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		v := s.current.Load()
		if v.events.last > max(after, 0) {
			return nil
		}
		select {
		case <-v.more:
		case <-ctx.Done():
		}
	}
}

// Log yields the lines of an action from a line number on. It goes on with
// lines that are stored meanwhile. An action that is not there has no lines.
func (s *Store) Log(ctx context.Context, actionID string, from int64) iter.Seq2[forge.Line, error] {
	return func(yield func(forge.Line, error) bool) {
		for next := from; ; {
			lines, err := s.current.Load().log(actionID).piece(next)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(forge.Line{}, err)
				return
			}
			if len(lines) == 0 {
				return
			}
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
			next = lines[len(lines)-1].Number + 1
		}
	}
}

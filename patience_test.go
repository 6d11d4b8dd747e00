package forge_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// leaving is a store that can be away, and that breaks while it reads a log.
type leaving struct {
	forge.Store
	away   atomic.Bool
	breaks atomic.Int64  // after so many lines each time; 0 for never
	missed chan struct{} // gets a value, if there is room, when somebody asked in vain
}

var errAway = &forge.Error{Class: forge.ErrUnavailable, Rule: "away"}

func leave(store forge.Store) *leaving { return &leaving{Store: store, missed: make(chan struct{}, 1)} }

func (s *leaving) View(ctx context.Context, fn func(forge.Tx) error) error {
	if s.away.Load() {
		return errAway
	}
	err := s.Store.View(ctx, fn)
	s.note(err)
	if seen, ok := ctx.Value(seenKey{}).(func()); ok && err == nil {
		seen()
	}
	return err
}

// seenKey is that of a func in a context, called when something was read with it.
type seenKey struct{}

func (s *leaving) Log(ctx context.Context, action string, from int64) iter.Seq2[forge.Line, error] {
	return func(yield func(forge.Line, error) bool) {
		most := s.breaks.Load()
		for line, err := range s.Store.Log(ctx, action, from) {
			if s.away.Load() || most > 0 && line.Number >= from+most {
				err = errAway
			}
			s.note(err)
			if !yield(line, err) || err != nil {
				return
			}
		}
	}
}

func (s *leaving) note(err error) {
	if errors.Is(err, forge.ErrUnavailable) {
		select {
		case s.missed <- struct{}{}:
		default:
		}
	}
}

// tale is a Forge with an action, whose log a test writes.
type tale struct {
	*engine
	action *forge.Action
	lines  int64
}

func newTale(t *testing.T, store forge.Store, q queue.Queue) *tale {
	l := &tale{engine: newEngine(t, store, q, nil)}
	l.action = l.insert()
	return l
}

// say appends lines, each in a chunk of its own and with an event.
func (l *tale) say(n int64) {
	l.t.Helper()
	require.NoError(l.t, l.store.Update(l.t.Context(), func(tx forge.Tx) error {
		for line := l.lines; line < l.lines+n; line++ {
			from, to := forge.Cursor{Line: line}, forge.Cursor{Line: line + 1}
			tx.Emit(forge.Event{Type: forge.EventLog, Action: l.action.ID, Subject: l.action.Subject, NextLine: to.Line})
			if err := tx.AppendLog(l.action.ID, l.action.Epoch, from, to, []forge.Line{{Text: fmt.Sprint("line ", line)}}); err != nil {
				return err
			}
		}
		return nil
	}))
	l.lines += n
}

// end ends the action.
func (l *tale) end() {
	l.t.Helper()
	require.NoError(l.t, l.store.Update(l.t.Context(), func(tx forge.Tx) error {
		a, err := tx.Actions().Get(l.action.ID)
		if err != nil {
			return err
		}
		a.Status = forge.ActionFinished
		tx.Emit(forge.Event{Type: forge.EventStatus, Action: a.ID, To: string(a.Status),
			Subject: forge.Subject{Kind: forge.SubjectAction, ID: a.ID}})
		return tx.Actions().Update(a)
	}))
}

// heard is what somebody who follows was told.
type heard struct {
	numbers []int64
	err     error
	after   time.Duration
}

// follow follows the log, and calls at with each number.
func (l *tale) follow(at func(int64)) (h heard) {
	began := time.Now()
	for line, err := range l.Actions.Follow(l.t.Context(), l.action.ID, 0) {
		if err != nil {
			h.err = err
			break
		}
		h.numbers = append(h.numbers, line.Number)
		at(line.Number)
	}
	h.after = time.Since(began)
	return h
}

// events follows the events of the log until the action has ended.
func (l *tale) events(at func(int64)) (h heard) {
	began := time.Now()
	for e, err := range l.Events(l.t.Context(), &forge.EventFilter{After: forge.Beginning, Action: l.action.ID}) {
		if err != nil || e.To == string(forge.ActionFinished) {
			h.err = err
			break
		}
		if e.Type == forge.EventLog {
			h.numbers = append(h.numbers, e.NextLine-1)
			at(e.NextLine - 1)
		}
	}
	h.after = time.Since(began)
	return h
}

// wait waits for the end, and calls at when it has looked for the first time.
func (l *tale) wait(at func(int64)) (h heard) {
	began := time.Now()
	looked := sync.OnceFunc(func() { at(100) })
	_, h.err = l.Actions.Wait(context.WithValue(l.t.Context(), seenKey{}, looked), l.action.ID)
	h.after = time.Since(began)
	return h
}

// all are the ways to follow an action.
func (l *tale) all() map[string]func(func(int64)) heard {
	return map[string]func(func(int64)) heard{"follow": l.follow, "events": l.events, "wait": l.wait}
}

func (l *tale) numbers() []int64 {
	return slices.Collect(func(yield func(int64) bool) {
		for n := range l.lines {
			if !yield(n) {
				return
			}
		}
	})
}

// begin lets all follow.
func (l *tale) begin(at func(int64)) map[string]chan heard {
	told := map[string]chan heard{}
	for name, follow := range l.all() {
		h := make(chan heard, 1)
		told[name] = h
		go func() { h <- follow(at) }()
	}
	return told
}

func TestFollowersBearAStoreThatIsAway(t *testing.T) {
	inBubble(t, func(t *testing.T, memory forge.Store, q queue.Queue) {
		store := leave(memory)
		l := newTale(t, store, q)
		told := l.begin(func(int64) {})
		l.say(3)
		for range 3 {
			synctest.Wait()
			store.away.Store(true)
			forge.WakeAll(l.Forge) // as it goes away while they are about to read
			time.Sleep(29 * time.Second)
			store.away.Store(false)
			l.say(2)
			time.Sleep(3 * time.Second)
		}
		l.end()
		for name, h := range told {
			h := <-h
			require.NoError(t, h.err, name)
			if name != "wait" {
				require.Equal(t, l.numbers(), h.numbers, name)
			}
		}
	})
}

func TestFollowersGiveUpOnAStoreThatStaysAway(t *testing.T) {
	inBubble(t, func(t *testing.T, memory forge.Store, q queue.Queue) {
		store := leave(memory)
		l := newTale(t, store, q)
		told := l.begin(func(int64) {})
		l.say(3)
		synctest.Wait()
		store.away.Store(true)
		forge.WakeAll(l.Forge)
		for name, h := range told {
			h := <-h
			require.ErrorIs(t, h.err, forge.ErrUnavailable, name)
			require.GreaterOrEqual(t, h.after, 30*time.Second, name)
			require.Less(t, h.after, 34*time.Second, name)
		}
		for name, follow := range l.all() {
			h := follow(func(int64) {})
			require.ErrorIs(t, h.err, forge.ErrUnavailable, name)
			require.Zero(t, h.after, "%s: what begins is told at once", name)
		}
	})
}

// A closed Forge ends those who wait for the store, too.
func TestFollowersOfAStoreThatIsAwayEndWithTheForge(t *testing.T) {
	inBubble(t, func(t *testing.T, memory forge.Store, q queue.Queue) {
		store := leave(memory)
		l := newTale(t, store, q)
		told := l.begin(func(int64) {})
		synctest.Wait()
		store.away.Store(true)
		forge.WakeAll(l.Forge)
		synctest.Wait()
		require.NoError(t, l.Close())
		for name, h := range told {
			h := <-h
			require.ErrorIs(t, h.err, forge.ErrState, name)
			require.Zero(t, h.after, name)
		}
	})
}

// A log that is read in many parts, each of which ends in a failure, is read as
// long as there is some progress.
func TestProgressIsNoAbsence(t *testing.T) {
	inBubble(t, func(t *testing.T, memory forge.Store, q queue.Queue) {
		store := leave(memory)
		l := newTale(t, store, q)
		l.say(1000)
		l.end()
		store.breaks.Store(1)
		h := l.follow(func(int64) {})
		require.NoError(t, h.err)
		require.Equal(t, l.numbers(), h.numbers)
		require.Greater(t, h.after, 30*time.Second)
	})
}

// PostgreSQL is stopped under those who follow, and is back when one of them has
// asked in vain.
func TestFollowersBearARestartOfPostgres(t *testing.T) {
	t.Parallel()
	db := pgtest.Start(t, pgtest.Options{Durable: true})
	open := func() forge.Store {
		pg, err := postgres.New(postgres.Config{Pool: pgtest.Pool(t, db.URL())})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, pg.Close()) })
		require.NoError(t, pg.Migrate(t.Context()))
		return pg
	}
	store := leave(open())
	l := newTale(t, store, queuememory.New(queuememory.Config{}))
	l.say(600) // more than is read at once, of either kind
	var reached sync.WaitGroup
	reached.Add(3)
	stopped := make(chan struct{})
	told := l.begin(func(n int64) {
		if n == 100 {
			reached.Done()
			<-stopped
		}
	})
	reached.Wait()
	db.Stop(t)
	close(stopped)
	<-store.missed
	db.Start(t)
	l.store = open() // who writes has connections that are not broken
	l.say(10)
	db.Kill(t)
	db.Start(t)
	l.store = open()
	l.end()
	for name, h := range told {
		h := <-h
		require.NoError(t, h.err, name)
		if name != "wait" {
			require.Equal(t, l.numbers(), h.numbers, name)
		}
	}
}

package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
)

func testTransactions(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"RollBack":   testRollBack,
		"Panic":      testPanic,
		"LostUpdate": testLostUpdate,
		"Snapshot":   testSnapshot,
		"ReadOnly":   testReadOnly,
		"Now":        testNow,
	})
}

func testContext(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"Before": testEndedBefore,
		"During": testEndedDuring,
		"Queue":  testEndedInQueue,
	})
}

var errChanged = errors.New("changed my mind")

// everything is a transaction that changes every kind of thing, of which there
// are an action and a lock already.
type everything struct {
	action *forge.Action
	lock   *forge.Lock
	server string
}

func newEverything(t *testing.T, s forge.Store) everything {
	e := everything{&forge.Action{ID: id(), Epoch: 1}, &forge.Lock{Key: "server-" + id()}, id()}
	insert(t, s, forge.Tx.Actions, e.action)
	insert(t, s, forge.Tx.Locks, e.lock)
	return e
}

func (e everything) do(tx forge.Tx) error {
	lines := []forge.Line{{Type: forge.LineOutput, Text: "one"}, {Type: forge.LineOutput, Text: "two"}}
	tx.Emit(forge.Event{Type: forge.EventStatus})
	return errors.Join(
		tx.Servers().Insert(&forge.Server{ID: e.server, Owner: "ann", IdempotencyKey: "once"}),
		tx.Locks().Update(&forge.Lock{Key: e.lock.Key, Holder: e.action.ID, Fence: 1}),
		tx.AppendLog(e.action.ID, 1, forge.Cursor{}, forge.Cursor{Line: 2, Bytes: 6}, lines),
		tx.Locks().Insert(&forge.Lock{Key: e.server}),
		tx.Locks().Delete(e.server),
	)
}

// requireNone checks that nothing is left of it, nor in its way.
func (e everything) requireNone(t *testing.T, s forge.Store) {
	t.Helper()
	require.Empty(t, list(t, s, forge.Tx.Servers, forge.ServerFilter{}, forge.Page{}))
	require.Equal(t, []*forge.Lock{e.lock}, list(t, s, forge.Tx.Locks, forge.LockFilter{}, forge.Page{}))
	require.Equal(t, e.action, normal(get(t, s, forge.Tx.Actions, e.action.ID)))
	require.Empty(t, readLog(t, s, e.action.ID, 0))
	view(t, s, func(tx forge.Tx) error {
		last, err := tx.LastEvent()
		require.Zero(t, last)
		return err
	})
	update(t, s, e.do)
	require.Len(t, readLog(t, s, e.action.ID, 0), 2)
	require.Len(t, events(t, s, 0, 10), 1)
}

func testRollBack(t *testing.T, s forge.Store) {
	e := newEverything(t, s)
	err := s.Update(t.Context(), func(tx forge.Tx) error {
		require.NoError(t, e.do(tx))
		return errChanged
	})
	require.Equal(t, errChanged, err, "as it is")
	e.requireNone(t, s)
	require.ErrorIs(t, s.View(t.Context(), func(forge.Tx) error { return errChanged }), errChanged)
}

func testPanic(t *testing.T, s forge.Store) {
	e := newEverything(t, s)
	require.PanicsWithValue(t, "oh", func() {
		_ = s.Update(t.Context(), func(tx forge.Tx) error {
			require.NoError(t, e.do(tx))
			panic("oh")
		})
	})
	require.PanicsWithValue(t, "oh", func() {
		_ = s.View(t.Context(), func(forge.Tx) error { panic("oh") })
	})
	e.requireNone(t, s)
}

// testLostUpdate has many read, add one, and write.
func testLostUpdate(t *testing.T, s forge.Store) {
	const workers, rounds = 8, 25
	insert(t, s, forge.Tx.Locks, &forge.Lock{Key: "counter"})
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			for range rounds {
				err := s.Update(t.Context(), func(tx forge.Tx) error {
					l, err := tx.Locks().Get("counter")
					if err != nil {
						return err
					}
					l.Fence++
					return tx.Locks().Update(l)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.EqualValues(t, workers*rounds, get(t, s, forge.Tx.Locks, "counter").Fence)
}

// testSnapshot moves amounts between records, while views add them up.
func testSnapshot(t *testing.T, s forge.Store) {
	const total, rounds = 1000, 50
	insert(t, s, forge.Tx.Locks, &forge.Lock{Key: "a", Fence: total}, &forge.Lock{Key: "b"})
	move := func(tx forge.Tx) error {
		a, errA := tx.Locks().Get("a")
		b, errB := tx.Locks().Get("b")
		if err := errors.Join(errA, errB); err != nil {
			return err
		}
		a.Fence--
		b.Fence++
		return errors.Join(tx.Locks().Update(a), tx.Locks().Update(b))
	}
	sum := func(tx forge.Tx) error {
		a, errA := tx.Locks().Get("a")
		all, errAll := tx.Locks().List(forge.LockFilter{}, forge.Page{})
		if err := errors.Join(errA, errAll); err != nil {
			return err
		}
		if len(all) != 2 || all[0].Fence != a.Fence || all[0].Fence+all[1].Fence != total {
			return errors.New("the view is not consistent")
		}
		return nil
	}
	var group errgroup.Group
	for range 2 {
		group.Go(func() error { return repeat(rounds, func() error { return s.Update(t.Context(), move) }) })
		group.Go(func() error { return repeat(rounds, func() error { return s.View(t.Context(), sum) }) })
	}
	require.NoError(t, group.Wait())
	require.EqualValues(t, total-2*rounds, get(t, s, forge.Tx.Locks, "a").Fence)
}

func repeat(times int, fn func() error) error {
	for range times {
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}

// testReadOnly tries each kind of write in a view of its own, as the first
// that fails may end it.
func testReadOnly(t *testing.T, s forge.Store) {
	e := newEverything(t, s)
	for name, write := range map[string]func(forge.Tx) error{
		"insert":      func(tx forge.Tx) error { return tx.Servers().Insert(&forge.Server{ID: e.server}) },
		"update":      func(tx forge.Tx) error { return tx.Locks().Update(&forge.Lock{Key: e.lock.Key, Fence: 1}) },
		"delete":      func(tx forge.Tx) error { return tx.Locks().Delete(e.lock.Key) },
		"drop a log":  func(tx forge.Tx) error { return tx.DropLog(e.action.ID) },
		"drop events": func(tx forge.Tx) error { return tx.DropEvents(time.Now()) },
		"append": func(tx forge.Tx) error {
			return tx.AppendLog(e.action.ID, 1, forge.Cursor{}, forge.Cursor{Line: 1}, make([]forge.Line, 1))
		},
	} {
		_ = s.View(t.Context(), func(tx forge.Tx) error {
			require.Error(t, write(tx), name)
			return nil
		})
	}
	_ = s.View(t.Context(), func(tx forge.Tx) error {
		tx.Emit(forge.Event{Type: forge.EventStatus})
		return nil
	})
	e.requireNone(t, s)
}

func testNow(t *testing.T, s forge.Store) {
	var first, second forge.Lock
	update(t, s, func(tx forge.Tx) error {
		require.False(t, tx.Now().IsZero())
		insertAt := &forge.Action{ID: "a", Created: tx.Now()}
		first.Fence = tx.Now().UnixMicro()
		return tx.Actions().Insert(insertAt)
	})
	require.Equal(t, first.Fence, get(t, s, forge.Tx.Actions, "a").Created.UnixMicro(), "the clock has the precision of the store")
	view(t, s, func(tx forge.Tx) error {
		second.Fence = tx.Now().UnixMicro()
		return nil
	})
	require.GreaterOrEqual(t, second.Fence, first.Fence)
}

func testEndedBefore(t *testing.T, s forge.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unreached := func(forge.Tx) error { return errors.New("called although the context has ended") }
	require.ErrorIs(t, s.Update(ctx, unreached), context.Canceled)
	require.ErrorIs(t, s.View(ctx, unreached), context.Canceled)
}

func testEndedDuring(t *testing.T, s forge.Store) {
	e := newEverything(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.Update(ctx, func(tx forge.Tx) error {
		require.NoError(t, e.do(tx))
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	e.requireNone(t, s)
}

// testEndedInQueue ends the context of an update that waits for another one.
func testEndedInQueue(t *testing.T, s forge.Store) {
	insert(t, s, forge.Tx.Locks, &forge.Lock{Key: "a"})
	take := func(tx forge.Tx) error {
		l, err := tx.Locks().Get("a")
		if err != nil {
			return err
		}
		l.Fence++
		return tx.Locks().Update(l)
	}
	update(t, s, func(tx forge.Tx) error {
		if err := take(tx); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- s.Update(ctx, take) }()
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		return nil
	})
	require.EqualValues(t, 1, get(t, s, forge.Tx.Locks, "a").Fence)
}

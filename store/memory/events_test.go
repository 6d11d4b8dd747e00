package memory_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// TestWait checks that a waiter wakes for a commit with events, and for
// nothing else.
func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Config{})
		woken := make(chan error, 1)
		go func() { woken <- s.Wait(t.Context(), forge.Beginning) }()

		emit := func(result error) error {
			return s.Update(t.Context(), func(tx forge.Tx) error {
				tx.Emit(forge.Event{})
				return result
			})
		}
		ended, cancel := context.WithCancel(t.Context())
		dropped := errors.New("dropped")
		require.ErrorIs(t, emit(dropped), dropped)
		require.Panics(t, func() { _ = s.Update(t.Context(), func(tx forge.Tx) error { tx.Emit(forge.Event{}); panic("oh") }) })
		require.Error(t, s.Update(ended, func(tx forge.Tx) error { tx.Emit(forge.Event{}); cancel(); return nil }))
		require.NoError(t, s.Update(t.Context(), func(tx forge.Tx) error { return tx.Locks().Insert(&forge.Lock{Key: "a"}) }))
		synctest.Wait()
		require.Empty(t, woken)

		require.NoError(t, emit(nil))
		require.NoError(t, <-woken)
	})
}

// TestEventsKept checks the bound of the events.
func TestEventsKept(t *testing.T) {
	t.Parallel()
	s := memory.New(memory.Config{Events: 10})
	for i := range 25 {
		require.NoError(t, s.Update(t.Context(), func(tx forge.Tx) error {
			tx.Emit(forge.Event{Step: i})
			return nil
		}))
	}
	require.NoError(t, s.View(t.Context(), func(tx forge.Tx) error {
		last, err := tx.LastEvent()
		require.NoError(t, err)
		require.EqualValues(t, 25, last)
		for after := range int64(15) {
			_, err := tx.Events(after, 100)
			require.ErrorIs(t, err, forge.ErrState)
		}
		for after := int64(15); after < 26; after++ {
			events, err := tx.Events(after, 100)
			require.NoError(t, err)
			require.Len(t, events, max(0, 25-int(after)))
			for i, e := range events {
				require.Equal(t, after+int64(i)+1, e.Seq)
				require.EqualValues(t, e.Seq-1, e.Step)
			}
		}
		oldest, err := tx.Events(forge.Beginning, 1)
		require.EqualValues(t, 16, oldest[0].Seq)
		none, _ := tx.Events(forge.Beginning, 0)
		require.Empty(t, none)
		return err
	}))
}

// TestAfterEnd checks that a transaction does nothing after its end.
func TestAfterEnd(t *testing.T) {
	t.Parallel()
	s := memory.New(memory.Config{})
	var late forge.Tx
	require.NoError(t, s.Update(t.Context(), func(tx forge.Tx) error { late = tx; return nil }))
	require.ErrorIs(t, late.Locks().Insert(&forge.Lock{Key: "a"}), forge.ErrState)
	_, err := late.Locks().List(forge.LockFilter{}, forge.Page{})
	require.ErrorIs(t, err, forge.ErrState)
	late.Emit(forge.Event{})
	require.NoError(t, s.View(t.Context(), func(tx forge.Tx) error {
		locks, err := tx.Locks().List(forge.LockFilter{}, forge.Page{})
		require.Empty(t, locks)
		return err
	}))
}

// TestEmitInView checks that the mistake is told.
func TestEmitInView(t *testing.T) {
	t.Parallel()
	err := memory.New(memory.Config{}).View(t.Context(), func(tx forge.Tx) error {
		tx.Emit(forge.Event{})
		return nil
	})
	require.ErrorIs(t, err, forge.ErrState)
}

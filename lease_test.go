package forge_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// A handler may hang in what knows nothing of contexts, as a provider of the
// embedder's own: its lease is not renewed for ever.
func TestHandlerThatNeverReturnsLosesItsAction(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		release := make(chan struct{})
		e := newEngine(t, store, q, func(context.Context, forge.TestWork) error { <-release; return nil })
		defer e.start()()
		defer close(release)
		a := e.insert()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := e.Actions.Wait(ctx, a.ID)
		var failed *forge.ActionError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, forge.ReasonTimeout, failed.Action.Failure.Reason)
		require.Less(t, time.Since(a.Created), 4*time.Minute, "of which one was its own")
	})
}

// moodyStore is slow to commit, or fails, as a test says.
type moodyStore struct {
	forge.Store
	slow atomic.Int64 // nanoseconds that the next commit takes
	away atomic.Bool
}

func (s *moodyStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if s.away.Load() {
		return errors.New("the store is away")
	}
	err := s.Store.Update(ctx, fn)
	time.Sleep(time.Duration(s.slow.Swap(0)))
	return err
}

// The lease begins when it is written down, not when that is known here.
func TestLeaseIsNotLongerThanInTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T, under forge.Store, q queue.Queue) {
		store := &moodyStore{Store: under}
		over := make(chan time.Duration, 1)
		e := newEngine(t, store, q, func(ctx context.Context, w forge.TestWork) error {
			store.away.Store(true)
			defer store.away.Store(false)
			<-ctx.Done()
			over <- time.Since(w.Action().Lease)
			return ctx.Err()
		})
		e.insert()
		store.slow.Store(int64(10 * time.Second)) // of the commit that takes it up
		defer e.start()()
		require.LessOrEqual(t, <-over, time.Duration(0))
	})
}

// Who has lost a lease does not take it back, when the store is there again, for a
// handler that has not noticed.
func TestLostLeaseIsNotRenewed(t *testing.T) {
	inBubble(t, func(t *testing.T, under forge.Store, q queue.Queue) {
		store := &moodyStore{Store: under}
		release := make(chan struct{})
		var began atomic.Int32
		e := newEngine(t, store, q, func(context.Context, forge.TestWork) error {
			if began.Add(1) == 1 {
				<-release
			}
			return nil
		})
		defer e.start()()
		defer close(release)
		time.Sleep(4 * time.Second) // renewals come one second before the looks of the sweep
		a := e.insert(func(a *forge.Action) { a.Timeout = time.Hour })
		time.Sleep(time.Second)
		store.away.Store(true)
		time.Sleep(16 * time.Second)
		store.away.Store(false)
		_, err := e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Less(t, time.Since(a.Created), time.Minute)
	})
}

// A run goes on under whoever has its action now: one that slept stops nothing.
func TestRunIsNotStoppedByWhoLostItsAction(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	m := newPlayed(t, func(context.Context, *sshtest.Exec) int { asked.Add(1); return 0 })
	returned := make(chan struct{})
	m.SetHandler(forge.KindExec, 1, time.Minute, func(ctx context.Context, w forge.TestWork) error {
		defer close(returned)
		if err := w.StartsRun(ctx); err != nil {
			return err
		}
		asked.Store(0)
		m.put(func(tx forge.Tx) error {
			a, err := tx.Actions().Get(w.Action().ID)
			if err != nil {
				return err
			}
			a.Epoch++
			a.Holder, a.Lease = "another", tx.Now().Add(time.Hour)
			return tx.Actions().Update(a)
		})
		return errors.New("something went wrong in the sleep")
	})
	stop := m.start()
	a, err := m.Servers.Exec(t.Context(), m.server.ID, forge.ExecOpts{Command: "id", User: "root"})
	require.NoError(t, err)
	<-returned
	stop()
	require.Zero(t, asked.Load(), "questions to the server")
	require.Equal(t, "another", m.get(a.ID).Holder)
}

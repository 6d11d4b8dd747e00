package forge_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

func TestCancelOfPendingIsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var ran atomic.Int32
		e := newEngine(t, store, q, func(context.Context, forge.TestWork) error { ran.Add(1); return nil })
		a := e.insert()
		require.NoError(t, e.Actions.Cancel(t.Context(), a.ID))
		require.Equal(t, forge.ActionCancelled, e.get(a.ID).Status)
		require.ErrorIs(t, e.Actions.Cancel(t.Context(), a.ID), forge.ErrState)
		defer e.start()()
		time.Sleep(time.Minute)
		require.Zero(t, ran.Load())
	})
}

func TestCancelReachesTheHolder(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		taken := make(chan struct{})
		e := newEngine(t, store, q, func(ctx context.Context, _ forge.TestWork) error {
			close(taken)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		defer e.start()()
		a := e.insert()
		<-taken
		asked := time.Now()
		require.NoError(t, e.Actions.Cancel(t.Context(), a.ID))
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Equal(t, forge.ActionCancelled, done.Status)
		require.Less(t, time.Since(asked), time.Second)
	})
}

func TestCancelOfWhatFinishesIsFinished(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		taken := make(chan struct{})
		e := newEngine(t, store, q, func(ctx context.Context, _ forge.TestWork) error {
			close(taken)
			<-ctx.Done()
			return nil
		})
		defer e.start()()
		a := e.insert()
		<-taken
		require.NoError(t, e.Actions.Cancel(t.Context(), a.ID))
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ActionFinished, done.Status)
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var turns atomic.Int32
		e := newEngine(t, store, q, func(ctx context.Context, w forge.TestWork) error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			turns.Add(1)
			return w.Wait(50 * time.Second)
		})
		defer e.start()()
		a := e.insert()
		time.Sleep(time.Second)
		require.EqualValues(t, 1, turns.Load())
		require.NoError(t, e.Actions.Cancel(t.Context(), a.ID))
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Equal(t, forge.ActionCancelled, done.Status)
		require.Less(t, time.Since(a.Created), 3*time.Second)
	})
}

func TestLockLetsOneWorkAtATime(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var running, most, ran atomic.Int32
		e := newEngine(t, store, q, func(context.Context, forge.TestWork) error {
			most.Store(max(most.Load(), running.Add(1)))
			time.Sleep(time.Second)
			running.Add(-1)
			ran.Add(1)
			return nil
		})
		defer e.start()()
		var actions []*forge.Action
		for range 20 {
			actions = append(actions, e.insert(func(a *forge.Action) { a.Locks = []string{"server-1"} }))
		}
		require.NoError(t, e.Actions.Cancel(t.Context(), actions[5].ID))
		for i, a := range actions {
			if _, err := e.Actions.Wait(t.Context(), a.ID); i != 5 {
				require.NoError(t, err)
			}
		}
		require.EqualValues(t, 1, most.Load())
		require.EqualValues(t, 19, ran.Load())
		require.Less(t, time.Since(actions[0].Created), 21*time.Second, "the release wakes the next, not the sweep")
	})
}

func TestParentEndsWithItsChildren(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, func(ctx context.Context, w forge.TestWork) error {
			return w.Say(ctx, "part "+w.Action().Input.Service)
		})
		parent := &forge.Action{Kind: forge.KindSyncKeys}
		require.NoError(t, e.Insert(t.Context(), parent))
		for i := range 3 {
			e.insert(func(a *forge.Action) { a.Parent, a.Input.Service = parent.ID, fmt.Sprint(i) })
		}
		defer e.start()()
		done, err := e.Actions.Wait(t.Context(), parent.ID)
		require.NoError(t, err)
		require.Equal(t, 3, done.Children)
		require.Zero(t, done.ChildrenOpen)
		var texts []string
		for line, err := range e.Actions.Follow(t.Context(), parent.ID, 1) {
			require.NoError(t, err)
			texts = append(texts, fmt.Sprint(line.Number, " ", line.Text))
		}
		require.Equal(t, []string{"1 part 1", "2 part 2"}, texts)
	})
}

func TestCancelOfParentCancelsItsChildren(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, func(ctx context.Context, _ forge.TestWork) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
		parent := &forge.Action{Kind: forge.KindSyncKeys}
		require.NoError(t, e.Insert(t.Context(), parent))
		var children []*forge.Action
		for range 5 {
			children = append(children, e.insert(func(a *forge.Action) { a.Parent = parent.ID }))
		}
		defer e.start()()
		time.Sleep(time.Second)
		require.NoError(t, e.Actions.Cancel(t.Context(), parent.ID))
		done, err := e.Actions.Wait(t.Context(), parent.ID)
		require.Error(t, err)
		require.Equal(t, forge.ActionCancelled, done.Status)
		for _, c := range children {
			require.Equal(t, forge.ActionCancelled, e.get(c.ID).Status)
		}
	})
}

func TestCancelOfADeletionThatNobodyBeganTakesItBack(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		srv := w.addServer("")
		deletion, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		require.NoError(t, w.Actions.Cancel(t.Context(), deletion.ID))
		got, err := w.Servers.Get(t.Context(), srv.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerActive, got.Status)
	})
}

package forge_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
)

// A worker died with a wake-up in its hands, before it took the action up: a durable
// queue drops every other one of the same id.
func TestWakeUpInDeadHandsIsReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		stuck := deafQueue{q, func(j queue.Job) []queue.Job {
			if strings.HasSuffix(j.ID, ".1") {
				return nil
			}
			return []queue.Job{j}
		}}
		e := newEngine(t, store, stuck, func(context.Context, forge.TestWork) error { return nil })
		defer e.start()()
		a := e.insert()
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, done.Epoch)
		require.Equal(t, 1, done.Attempt)
		require.Zero(t, done.Handouts, "nobody had it")
		require.Less(t, time.Since(a.Created), 25*time.Second, "a lease, and two looks of the sweep")
	})
}

// What waits in a crowded queue is replaced ever more seldom, keeps its turn, and
// is done once.
func TestWakeUpInACrowdIsReplacedSeldom(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var ran atomic.Int32
		e := newEngine(t, store, q, func(ctx context.Context, w forge.TestWork) error {
			ran.Add(1)
			if w.Action().Input.Service == "slow" {
				select {
				case <-time.After(time.Hour):
				case <-ctx.Done():
					return errors.New("it was not to be stopped")
				}
			}
			return nil
		})
		defer e.start()()
		for range 2 { // all that the pool works on at once
			e.insert(func(a *forge.Action) { a.Input.Service, a.Timeout = "slow", 2*time.Hour })
		}
		a := e.insert()
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(a.Created), time.Hour)
		require.LessOrEqual(t, done.Epoch, int64(9))
		require.EqualValues(t, 3, ran.Load())
	})
}

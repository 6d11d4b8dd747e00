package forge_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
)

// countingQueue counts how often it is called.
type countingQueue struct {
	queue.Queue
	calls atomic.Int32
}

func (q *countingQueue) Enqueue(ctx context.Context, jobs ...queue.Job) error {
	q.calls.Add(1)
	return q.Queue.Enqueue(ctx, jobs...)
}

// A crowd that waits for its turn costs a look of the sweep a few calls, and does not
// keep it from handing out what the dead left.
func TestSweepOfACrowdIsCheap(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		const crowd = 2000
		counting := &countingQueue{Queue: q}
		release := make(chan struct{})
		e := newEngine(t, store, counting, func(context.Context, forge.TestWork) error { <-release; return nil })
		for range crowd {
			e.insert()
		}
		defer e.start()()
		defer close(release)
		asked := counting.calls.Load()
		time.Sleep(9 * time.Second)
		require.LessOrEqual(t, counting.calls.Load()-asked, int32(3*crowd/forge.MaxPage), "of three looks")

		asked = counting.calls.Load()
		time.Sleep(10 * time.Second)
		require.Less(t, counting.calls.Load()-asked, int32(crowd/2), "what was not heard for a lease is replaced a part at a time")
		time.Sleep(10 * time.Minute)
		waiting, err := e.Actions.List(t.Context(), forge.ActionFilter{Status: []forge.ActionStatus{forge.ActionPending}}, forge.Page{Limit: forge.MaxPage})
		require.NoError(t, err)
		require.NotEmpty(t, waiting)
		for _, a := range waiting {
			require.Greater(t, a.Epoch, int64(1), "each comes to its turn")
		}
	})
}

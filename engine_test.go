package forge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// engine is a Forge whose validate_provider jobs are a test's handler.
type engine struct {
	*forge.Forge
	t     *testing.T
	store forge.Store
}

type handler func(context.Context, forge.TestWork) error

func newEngine(t *testing.T, store forge.Store, q queue.Queue, run handler) *engine {
	f, err := forge.New(forge.Config{Store: store, Queue: q})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	f.SetHandler(forge.KindValidate, 1, time.Minute, run)
	return &engine{Forge: f, t: t, store: store}
}

// start works until the returned function is called, which waits for the end.
func (e *engine) start() (stop func()) {
	ctx, cancel := context.WithCancel(e.t.Context())
	var done sync.WaitGroup
	done.Go(func() { require.NoError(e.t, e.Run(ctx)) })
	return func() { cancel(); done.Wait() }
}

func (e *engine) insert(edit ...func(*forge.Action)) *forge.Action {
	a := &forge.Action{Kind: forge.KindValidate, Subject: forge.Subject{Kind: forge.SubjectProvider, ID: "test"}}
	for _, fn := range edit {
		fn(a)
	}
	require.NoError(e.t, e.Insert(e.t.Context(), a))
	return a
}

func (e *engine) get(id string) *forge.Action {
	a, err := e.Actions.Get(e.t.Context(), id)
	require.NoError(e.t, err)
	return a
}

// inBubble runs a test on a fake clock, with a store and a queue of its own.
func inBubble(t *testing.T, test func(t *testing.T, store forge.Store, q queue.Queue)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		test(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}))
	})
}

func TestActionFinishes(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, func(ctx context.Context, w forge.TestWork) error { return w.Say(ctx, "done") })
		defer e.start()()
		a := e.insert()
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, 1, done.Attempt)
		require.False(t, done.Finished.IsZero())
		var texts []string
		for line, err := range e.Actions.Follow(t.Context(), a.ID, 0) {
			require.NoError(t, err)
			texts = append(texts, fmt.Sprint(line.Number, line.Text))
		}
		require.Equal(t, []string{"0done"}, texts)
	})
}

func TestPanicFailsTheActionAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, func(_ context.Context, w forge.TestWork) error {
			if w.Action().Input.Service == "bad" {
				panic("boom")
			}
			return nil
		})
		defer e.start()()
		bad := e.insert(func(a *forge.Action) { a.Input.Service = "bad" })
		good := e.insert()
		_, err := e.Actions.Wait(t.Context(), bad.ID)
		var failed *forge.ActionError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, forge.ReasonPanic, failed.Action.Failure.Reason)
		_, err = e.Actions.Wait(t.Context(), good.ID)
		require.NoError(t, err)
	})
}

// deafQueue loses, doubles or delays wake-ups.
type deafQueue struct {
	queue.Queue
	mangle func(queue.Job) []queue.Job
}

func (q deafQueue) Enqueue(ctx context.Context, jobs ...queue.Job) error {
	for _, j := range jobs {
		if err := q.Queue.Enqueue(ctx, q.mangle(j)...); err != nil {
			return err
		}
	}
	return nil
}

func TestLostWakeUpIsMadeUpForBySweep(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var seen sync.Map
		lossy := deafQueue{q, func(j queue.Job) []queue.Job {
			if _, again := seen.LoadOrStore(j.ID, true); !again {
				return nil
			}
			return []queue.Job{j}
		}}
		var ran atomic.Int32
		e := newEngine(t, store, lossy, func(context.Context, forge.TestWork) error { ran.Add(1); return nil })
		defer e.start()()
		a := e.insert()
		_, err := e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, ran.Load())
		require.Less(t, time.Since(a.Created), 15*time.Second)
	})
}

func TestDoubledAndLateWakeUpsDoNoHarm(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		doubling := deafQueue{q, func(j queue.Job) []queue.Job {
			// Other processes have other queues: the same wake-up reaches two
			// workers, at once and late, under ids that the queue cannot match.
			late := j
			late.RunAt = j.RunAt.Add(time.Minute)
			return []queue.Job{j, {ID: j.ID + "", Kind: j.Kind, Pool: j.Pool, RunAt: j.RunAt}, late}
		}}
		var ran atomic.Int32
		first := newEngine(t, store, doubling, func(context.Context, forge.TestWork) error {
			ran.Add(1)
			time.Sleep(10 * time.Second)
			return nil
		})
		second := newEngine(t, store, queuememory.New(queuememory.Config{}), func(context.Context, forge.TestWork) error {
			ran.Add(1)
			return nil
		})
		defer first.start()()
		defer second.start()()
		a := first.insert()
		_, err := second.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		require.EqualValues(t, 1, ran.Load())
	})
}

func TestDeadHoldersWorkIsHandedOut(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		// The first worker takes the action up and is never heard of again: its
		// store does not answer any more.
		dead := &mutableStore{Store: store}
		taken := make(chan struct{})
		first := newEngine(t, dead, q, func(ctx context.Context, _ forge.TestWork) error {
			close(taken)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		stopFirst := first.start()
		defer stopFirst()
		a := first.insert()
		<-taken
		dead.broken.Store(true)

		second := newEngine(t, store, queuememory.New(queuememory.Config{}),
			func(context.Context, forge.TestWork) error { return nil })
		defer second.start()()
		started := time.Now()
		done, err := second.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(started), 21*time.Second)
		require.Equal(t, 1, done.Attempt, "an attempt that is gone on with is the same attempt")
		require.EqualValues(t, 2, done.Epoch)
	})
}

// mutableStore is a store that can stop answering.
type mutableStore struct {
	forge.Store
	broken atomic.Bool
}

var errBroken = errors.New("the store does not answer")

func (s *mutableStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Store.Update(ctx, fn)
}

func (s *mutableStore) View(ctx context.Context, fn func(forge.Tx) error) error {
	if s.broken.Load() {
		return errBroken
	}
	return s.Store.View(ctx, fn)
}

func TestStaleHolderIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		asleep := &mutableStore{Store: store}
		taken, wake, refused := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		first := newEngine(t, asleep, q, func(_ context.Context, w forge.TestWork) error {
			close(taken)
			<-wake
			refused <- w.Say(context.Background(), "from the past")
			return nil
		})
		defer first.start()()
		a := first.insert()
		<-taken
		asleep.broken.Store(true)
		second := newEngine(t, store, queuememory.New(queuememory.Config{}),
			func(ctx context.Context, w forge.TestWork) error { return w.Say(ctx, "from the present") })
		defer second.start()()
		_, err := second.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		asleep.broken.Store(false)
		close(wake)
		require.ErrorIs(t, <-refused, forge.ErrLeaseLost)
		for line, err := range second.Actions.Follow(t.Context(), a.ID, 0) {
			require.NoError(t, err)
			require.Equal(t, "from the present", line.Text)
		}
	})
}

func TestWorkerShutdownHandsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		taken := make(chan struct{}, 1)
		var second atomic.Bool
		e := newEngine(t, store, q, func(ctx context.Context, _ forge.TestWork) error {
			if second.Load() {
				return nil
			}
			taken <- struct{}{}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		stop := e.start()
		a := e.insert()
		<-taken
		stop()
		handed := e.get(a.ID)
		require.Equal(t, forge.ActionRunning, handed.Status)
		require.Empty(t, handed.Holder)
		second.Store(true)
		defer e.start()()
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, 1, done.Attempt)
	})
}

func TestWaitingGivesTheSlotBack(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var turns atomic.Int32
		e := newEngine(t, store, q, func(_ context.Context, w forge.TestWork) error {
			if w.Action().Input.Service == "waits" && turns.Add(1) < 4 {
				return w.Wait(5 * time.Second)
			}
			return nil
		})
		defer e.start()()
		var waiting []*forge.Action
		for range 10 { // more than the pool has slots
			waiting = append(waiting, e.insert(func(a *forge.Action) { a.Input.Service = "waits" }))
		}
		quick := e.insert()
		_, err := e.Actions.Wait(t.Context(), quick.ID)
		require.NoError(t, err)
		require.Less(t, time.Since(quick.Created), time.Second)
		for _, a := range waiting {
			_, err := e.Actions.Wait(t.Context(), a.ID)
			require.NoError(t, err)
		}
	})
}

func TestDeadlineOutlivesHandOuts(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, func(_ context.Context, w forge.TestWork) error { return w.Wait(7 * time.Second) })
		defer e.start()()
		a := e.insert()
		_, err := e.Actions.Wait(t.Context(), a.ID)
		var failed *forge.ActionError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, forge.ReasonTimeout, failed.Action.Failure.Reason)
		require.InDelta(t, time.Minute, failed.Action.Finished.Sub(failed.Action.Started), float64(10*time.Second))
	})
}

func TestHandOutsWithoutProgressEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		// Every worker that takes it up dies: none ever renews or settles.
		e := newEngine(t, store, q, func(ctx context.Context, w forge.TestWork) error {
			require.NoError(t, store.Update(ctx, func(tx forge.Tx) error {
				a, err := tx.Actions().Get(w.Action().ID)
				if err != nil {
					return err
				}
				a.Lease = tx.Now().Add(-time.Second)
				a.Deadline = tx.Now().Add(time.Hour)
				a.Holder = "a worker that is dead"
				return tx.Actions().Update(a)
			}))
			return nil
		})
		defer e.start()()
		a := e.insert()
		_, err := e.Actions.Wait(t.Context(), a.ID)
		var failed *forge.ActionError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, forge.ReasonNoProgress, failed.Action.Failure.Reason)
		require.Equal(t, forge.MaxHandouts, failed.Action.Handouts)
	})
}

func TestRetriesWithGrowingWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, nil)
		var attempts []time.Time
		e.SetHandler(forge.KindValidate, 3, time.Minute, func(context.Context, forge.TestWork) error {
			attempts = append(attempts, time.Now())
			return forge.ErrUnavailable
		})
		defer e.start()()
		a := e.insert()
		done, err := e.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Equal(t, 3, done.Attempt)
		require.Len(t, attempts, 3)
		require.Greater(t, attempts[2].Sub(attempts[1]), attempts[1].Sub(attempts[0]))
	})
}

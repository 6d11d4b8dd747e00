package forge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
)

// fellow is another process on the same store, with a queue of its own.
func fellow(t *testing.T, store forge.Store, run handler) (*engine, *recorder) {
	q := &recorder{Queue: queuememory.New(queuememory.Config{})}
	return newEngine(t, store, q, run), q
}

func never(context.Context, forge.TestWork) error {
	return errors.New("an older version must not do this")
}

// older are the ways in which an action is not for an older process.
var older = map[string]func(*engine){
	"unknown kind": func(e *engine) { e.Forget(forge.KindValidate) },
	"newer shape":  func(e *engine) { e.SetVersion(0) },
}

func TestOlderProcessLeavesNewActionsAlone(t *testing.T) {
	for name, age := range older {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				now := newEngine(t, store, q, func(context.Context, forge.TestWork) error { return nil })
				due, back, held := now.insert(), now.insert(), now.insert()
				begun := func(id, holder string) {
					require.NoError(t, store.Update(t.Context(), func(tx forge.Tx) error {
						a, err := tx.Actions().Get(id)
						require.NoError(t, err)
						a.Status, a.Holder, a.Lease = forge.ActionRunning, holder, tx.Now()
						a.Started, a.Deadline, a.Attempt = tx.Now(), tx.Now().Add(time.Hour), 1
						return tx.Actions().Update(a)
					}))
				}
				begun(back.ID, "")
				begun(held.ID, "a worker that died")
				state := func() []*forge.Action {
					return []*forge.Action{now.get(due.ID), now.get(back.ID), now.get(held.ID)}
				}
				before := state()

				was, wakes := fellow(t, store, never)
				age(was)
				stop := was.start()
				for _, a := range before { // it hears of them
					require.NoError(t, wakes.Queue.Enqueue(t.Context(), queue.Job{ID: a.ID + ".1", Kind: string(a.Kind), Pool: "default"}))
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				require.Equal(t, before, state())
				require.Empty(t, wakes.sent(), "they are not handed out in a loop")
				err := was.Actions.Cancel(t.Context(), due.ID)
				require.ErrorIs(t, err, forge.ErrState)
				require.ErrorContains(t, err, "newer version")
				require.Equal(t, before[0], now.get(due.ID))
				stop()

				defer now.start()()
				for _, a := range before {
					_, err := now.Actions.Wait(t.Context(), a.ID)
					require.NoError(t, err)
				}
			})
		})
	}
}

// TestNewActionWaitsBehindAnOlderProcess lets an older process hold the lock that a
// new action and, behind that, an old one wait for. It passes on to what it knows;
// what it passed over is not forgotten by a newer one.
func TestNewActionWaitsBehindAnOlderProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var order []string
		done := make(chan struct{})
		work := func(process string) handler {
			return func(_ context.Context, w forge.TestWork) error {
				if w.Action().Owner == "first" {
					<-done
				}
				order = append(order, process+" "+w.Action().Owner)
				return nil
			}
		}
		was := newEngine(t, store, q, work("was"))
		was.SetVersion(0)
		now, _ := fellow(t, store, work("now"))
		lock := func(owner string) func(*forge.Action) {
			return func(a *forge.Action) { a.Owner, a.Locks = owner, []string{"server-1"} }
		}
		first := was.insert(lock("first"))
		defer was.start()()
		synctest.Wait()
		second := now.insert(lock("second"))
		stop := now.start()
		synctest.Wait()
		third := was.insert(lock("third"))
		synctest.Wait()
		require.NotEmpty(t, now.get(second.ID).Waits)
		require.NotEmpty(t, now.get(third.ID).Waits)
		close(done)
		for _, a := range []*forge.Action{first, second, third} {
			_, err := now.Actions.Wait(t.Context(), a.ID)
			require.NoError(t, err)
		}
		stop()
		require.Equal(t, "was first", order[0])
		require.Contains(t, order, "now second")
		require.True(t, strings.HasSuffix(order[1], "third"), "it was not held up: %v", order)
	})
}

// TestActionsSayTheirShape fails where actions could be told no more from newer ones.
func TestActionsSayTheirShape(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, never)
		require.Equal(t, 1, e.get(e.insert().ID).Version)
	})
}

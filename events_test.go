package forge_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// Every change of a server and of its actions, of a step and of a log is one
// event, in the order in which they happened.
func TestEventsOfACreate(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		w.Stub(forge.KindInstallStack, func(ctx context.Context, work forge.TestWork) error {
			for i := range 2 {
				time.Sleep(time.Second)
				if err := errors.Join(
					work.Step(ctx, fmt.Sprintf("step %d of 2: part %d", i+1, i)), work.Say(ctx, "done"),
				); err != nil {
					return err
				}
			}
			return nil
		})
		w.Forge = w.For("acme")
		defer w.start()()
		srv, parent := w.create()
		_, err := w.Actions.Wait(t.Context(), parent.ID)
		require.NoError(t, err)

		names := map[string]string{srv.ID: "server", parent.ID: "create"}
		for part, err := range w.Actions.All(t.Context(), forge.ActionFilter{Parent: parent.ID}) {
			require.NoError(t, err)
			names[part.ID] = map[forge.Kind]string{forge.KindProvision: "provision", forge.KindInstallStack: "install"}[part.Kind]
		}
		var got []string
		var last forge.Event
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for e, err := range w.Events(ctx, &forge.EventFilter{After: forge.Beginning}) {
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
				break
			}
			require.Equal(t, last.Seq+1, e.Seq)
			require.False(t, e.Time.Before(last.Time))
			require.Equal(t, "acme", e.Owner)
			require.Equal(t, srv.ID, e.Server)
			last = e
			line := names[e.Subject.ID] + " "
			switch e.Type {
			case forge.EventStatus:
				line += e.From + "->" + e.To
			case forge.EventStep:
				line += fmt.Sprintf("%d/%d %s", e.Step, e.Steps, e.Name)
			case forge.EventLog:
				line += fmt.Sprintf("log of %s up to %d", names[e.Action], e.NextLine)
			}
			got = append(got, line)
			if e.Subject.ID == parent.ID && e.To == string(forge.ActionFinished) {
				cancel()
			}
		}
		require.Equal(t, []string{
			"server ->pending",
			"create ->pending", "provision ->pending", "create 0/1 ",
			"provision pending->running", "server pending->creating", "create pending->running",
			"server log of provision up to 1",
			"server creating->provisioning",
			"install ->pending", "create 0/2 ",
			"provision running->finished", "create 1/2 ",
			"install pending->running",
			"server 1/2 part 0", "server log of install up to 1",
			"server 2/2 part 1", "server log of install up to 2",
			"install running->finished", "server provisioning->active",
			"create 2/2 ", "create running->finished",
		}, got)
	})
}

// emit appends events of a test's own.
func emit(t *testing.T, store forge.Store, events ...forge.Event) {
	require.NoError(t, store.Update(t.Context(), func(tx forge.Tx) error {
		for _, e := range events {
			tx.Emit(e)
		}
		return nil
	}))
}

// take reads n events.
func take(t *testing.T, f *forge.Forge, filter forge.EventFilter, n int) (steps []int) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for e, err := range f.Events(ctx, &filter) {
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return steps
		}
		if steps = append(steps, e.Step); len(steps) == n {
			return steps
		}
	}
	return steps
}

func TestWhereEventsBegin(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		none := take(t, w.Forge, forge.EventFilter{After: forge.Beginning}, 1)
		require.Empty(t, none)
		for i := range 5 {
			emit(t, store, forge.Event{Step: i, Type: forge.EventStep, Server: fmt.Sprint("s", i%2)})
		}
		require.Equal(t, []int{0, 1, 2, 3, 4}, take(t, w.Forge, forge.EventFilter{After: forge.Beginning}, 5))
		require.Equal(t, []int{3, 4}, take(t, w.Forge, forge.EventFilter{After: 3}, 2))
		require.Equal(t, []int{1, 3}, take(t, w.Forge, forge.EventFilter{After: forge.Beginning, Server: "s1"}, 9))
		require.Empty(t, take(t, w.Forge, forge.EventFilter{After: forge.Beginning, Types: []forge.EventType{forge.EventLog}}, 9))
		begun := make(chan []int)
		go func() { begun <- take(t, w.Forge, forge.EventFilter{}, 1) }()
		synctest.Wait()
		emit(t, store, forge.Event{Step: 7})
		require.Equal(t, []int{7}, <-begun, "only what is yet to come")
	})
}

func TestSlowConsumerCostsNoOtherOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(memory.Config{Events: 20})
		f, err := forge.New(forge.Config{Store: store})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		ctx, cancel := context.WithCancel(t.Context())
		slow, quick := make(chan error, 1), make(chan int, 100)
		stuck := make(chan struct{})
		go func() {
			for _, err := range f.Events(ctx, nil) {
				if err != nil {
					slow <- err
					return
				}
				<-stuck
			}
		}()
		go func() {
			for e, err := range f.Events(ctx, nil) {
				if err != nil {
					close(quick)
					return
				}
				quick <- e.Step
			}
		}()
		synctest.Wait()
		for i := range 60 {
			emit(t, store, forge.Event{Step: i})
			require.Equal(t, i, <-quick)
		}
		close(stuck)
		require.ErrorIs(t, <-slow, forge.ErrState, "what it missed is not there any more, and it is told so")
		cancel()
		_, more := <-quick
		require.False(t, more)
	})
}

// A store whose answers fail for a while loses no reader.
func TestWaitersOutliveErrorsOfTheStore(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		// Without Notifier the store is asked again and again.
		flaky := &mutableStore{Store: store}
		e := newEngine(t, flaky, q, func(context.Context, forge.TestWork) error { time.Sleep(10 * time.Second); return nil })
		defer e.start()()
		a := e.insert()
		waited := make(chan error, 1)
		go func() { _, err := e.Actions.Wait(t.Context(), a.ID); waited <- err }()
		time.Sleep(time.Second)
		flaky.broken.Store(true)
		time.Sleep(3 * time.Second)
		flaky.broken.Store(false)
		require.NoError(t, <-waited)
	})
}

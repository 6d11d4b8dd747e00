package storetest

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
)

func testEvents(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"RoundTrip": testEventRoundTrip,
		"Order":     testEventOrder,
		"Follow":    testEventFollow,
	})
}

func testNotifier(t *testing.T, open func(t *testing.T) forge.Store) {
	each(t, open, map[string]func(*testing.T, forge.Store){
		"AtOnce": testWaitAtOnce,
		"Later":  testWaitLater,
		"Ended":  testWaitEnded,
	})
}

func events(t testing.TB, s forge.Store, after int64, limit int) []forge.Event {
	t.Helper()
	var got []forge.Event
	view(t, s, func(tx forge.Tx) (err error) {
		got, err = tx.Events(after, limit)
		return err
	})
	return got
}

func last(t testing.TB, s forge.Store) int64 {
	t.Helper()
	var seq int64
	view(t, s, func(tx forge.Tx) (err error) {
		seq, err = tx.LastEvent()
		return err
	})
	return seq
}

func emit(ctx context.Context, s forge.Store, events ...forge.Event) error {
	return s.Update(ctx, func(tx forge.Tx) error {
		for _, e := range events {
			tx.Emit(e)
		}
		return nil
	})
}

func testEventRoundTrip(t *testing.T, s forge.Store) {
	require.Zero(t, last(t, s))
	require.Empty(t, events(t, s, 0, 10))
	r := seeded(t)
	given := []forge.Event{*random[forge.Event](r), {}, *random[forge.Event](r)}
	require.NoError(t, emit(t.Context(), s, given...))
	got := events(t, s, 0, 10)
	require.Len(t, got, 3)
	var seq int64
	for i, e := range got {
		require.Greater(t, e.Seq, seq, "the store gives the sequence")
		require.NotEqual(t, given[i].Time.UnixMicro(), e.Time.UnixMicro(), "the store gives the time")
		require.False(t, e.Time.IsZero())
		seq = e.Seq
		given[i].Seq, given[i].Time = e.Seq, e.Time
		require.Equal(t, given[i], e)
	}
	require.Equal(t, seq, last(t, s))
}

func testEventOrder(t *testing.T, s forge.Store) {
	const count = 120
	for i := 0; i < count; i += 3 {
		require.NoError(t, emit(t.Context(), s, step(i), step(i+1), step(i+2)))
	}
	all := events(t, s, 0, count)
	require.Len(t, all, count)
	for i, e := range all {
		require.Equal(t, i, e.Step)
	}
	require.Equal(t, all[count-1].Seq, last(t, s))
	for _, i := range []int{0, 1, 50, count - 1} {
		require.Equal(t, all[i+1:], append([]forge.Event{}, events(t, s, all[i].Seq, count)...))
		require.Equal(t, all[i+1:min(count, i+8)], append([]forge.Event{}, events(t, s, all[i].Seq, 7)...))
	}
	require.Empty(t, events(t, s, last(t, s)+1, 10))
	require.Equal(t, all[:5], events(t, s, forge.Beginning, 5), "from the oldest that is there")
}

func step(n int) forge.Event { return forge.Event{Type: forge.EventStep, Step: n} }

// testEventFollow reads while many emit: each event comes once, and none is
// committed behind one that was read.
func testEventFollow(t *testing.T, s forge.Store) {
	const emitters, each = 8, 25
	committed := make(chan struct{}, emitters*each)
	var group errgroup.Group
	for i := range emitters {
		group.Go(func() error {
			for j := range each {
				if err := emit(t.Context(), s, step(i*each+j), forge.Event{Type: forge.EventLog}); err != nil {
					return err
				}
				committed <- struct{}{}
			}
			return nil
		})
	}
	seen, next := map[int]bool{}, make([]int, emitters)
	group.Go(func() error {
		var after int64
		for range emitters * each {
			<-committed
			var got []forge.Event
			err := s.View(t.Context(), func(tx forge.Tx) (err error) {
				got, err = tx.Events(after, 1000)
				return err
			})
			if err != nil {
				return err
			}
			for _, e := range got {
				emitter := e.Step / each
				switch {
				case e.Seq <= after:
					return fmt.Errorf("event %d came after %d", e.Seq, after)
				case e.Type == forge.EventStep && (seen[e.Step] || e.Step%each != next[emitter]):
					return fmt.Errorf("event %d came twice or out of order", e.Step)
				case e.Type == forge.EventStep:
					seen[e.Step] = true
					next[emitter]++
				}
				after = e.Seq
			}
		}
		return nil
	})
	require.NoError(t, group.Wait())
	require.Len(t, seen, emitters*each)
}

func notifier(t *testing.T, s forge.Store) forge.Notifier {
	n, ok := s.(forge.Notifier)
	if !ok {
		t.Skip("the store is no forge.Notifier")
	}
	return n
}

func testWaitAtOnce(t *testing.T, s forge.Store) {
	n := notifier(t, s)
	require.NoError(t, emit(t.Context(), s, step(1), step(2)))
	require.NoError(t, n.Wait(t.Context(), 0))
	require.NoError(t, n.Wait(t.Context(), last(t, s)-1))
}

// testWaitLater has several wait for what is committed after they began.
func testWaitLater(t *testing.T, s forge.Store) {
	n := notifier(t, s)
	var group errgroup.Group
	for range 4 {
		group.Go(func() error {
			for after := int64(0); ; {
				if err := n.Wait(t.Context(), after); err != nil {
					return err
				}
				var got []forge.Event
				err := s.View(t.Context(), func(tx forge.Tx) (err error) {
					got, err = tx.Events(after, 100)
					return err
				})
				if err != nil {
					return err
				}
				for _, e := range got {
					after = e.Seq
					if e.Step == 20 {
						return nil
					}
				}
			}
		})
	}
	for i := range 21 {
		require.NoError(t, emit(t.Context(), s, step(i)))
	}
	require.NoError(t, group.Wait())
}

func testWaitEnded(t *testing.T, s forge.Store) {
	n := notifier(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Wait(ctx, 0) }()
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.ErrorIs(t, n.Wait(ctx, last(t, s)), context.Canceled)
}

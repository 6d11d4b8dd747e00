package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// counter adds one to a lock of its own and to one of all, appends a line and
// emits an event, in each of its updates.
type counter struct {
	s       *postgres.Store
	action  string
	at      forge.Cursor // of which it was told
	acked   int64
	unknown int64
	goodAt  chan struct{} // has a value for each update that was acknowledged
}

func (c *counter) add(ctx context.Context) error {
	var to forge.Cursor
	err := c.s.Update(ctx, func(tx forge.Tx) error {
		for _, key := range []string{c.action, "all"} {
			l, err := tx.Locks().Get(key)
			if err != nil {
				return err
			}
			l.Fence++
			if err := tx.Locks().Update(l); err != nil {
				return err
			}
		}
		a, err := tx.Actions().Get(c.action)
		if err != nil {
			return err
		}
		if a.Cursor.Line < c.at.Line {
			return fmt.Errorf("line %d was acknowledged, and the log ends at %d", c.at.Line, a.Cursor.Line)
		}
		to = forge.Cursor{Line: a.Cursor.Line + 1}
		tx.Emit(forge.Event{Type: forge.EventLog, Action: c.action, NextLine: to.Line})
		return tx.AppendLog(c.action, 0, a.Cursor, to, []forge.Line{{Type: forge.LineOutput, Text: fmt.Sprint(a.Cursor.Line)}})
	})
	if err == nil {
		c.at = to
		c.acked++
	}
	return err
}

// run adds until ctx is done.
func (c *counter) run(ctx context.Context) error {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for {
		err := c.add(context.WithoutCancel(ctx))
		switch {
		case err == nil:
			select {
			case c.goodAt <- struct{}{}:
			default:
			}
		case !errors.Is(err, forge.ErrUnavailable):
			return err
		case errors.Is(err, forge.ErrUnknown):
			c.unknown++
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
}

// TestRestart stops PostgreSQL, in good order and by a crash, amid updates.
func TestRestart(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{Durable: true})
	s := with(t, postgres.Config{Pool: pgtest.Pool(t, server.URL())})
	require.NoError(t, s.Migrate(t.Context()))
	var counters []*counter
	update(t, s, func(tx forge.Tx) error { return tx.Locks().Insert(&forge.Lock{Key: "all"}) })
	for n := range 4 {
		c := &counter{s: s, action: fmt.Sprint("action-", n), goodAt: make(chan struct{})}
		counters = append(counters, c)
		update(t, s, func(tx forge.Tx) error {
			return errors.Join(tx.Locks().Insert(&forge.Lock{Key: c.action}), tx.Actions().Insert(&forge.Action{ID: c.action}))
		})
	}
	ctx, stop := context.WithCancel(t.Context())
	group, ctx := errgroup.WithContext(ctx)
	for _, c := range counters {
		group.Go(func() error { return c.run(ctx) })
	}
	goOn := func() {
		for _, c := range counters {
			for range 10 {
				select {
				case <-c.goodAt:
				case <-ctx.Done():
					require.NoError(t, group.Wait())
				}
			}
		}
	}
	goOn()
	for range 3 {
		server.Restart(t)
		goOn()
		server.Kill(t)
		server.Start(t)
		goOn()
	}
	stop()
	require.NoError(t, group.Wait())

	var sum int64
	view(t, s, func(tx forge.Tx) error {
		for _, c := range counters {
			l, err := tx.Locks().Get(c.action)
			require.NoError(t, err)
			a, err := tx.Actions().Get(c.action)
			require.NoError(t, err)
			require.GreaterOrEqual(t, l.Fence, c.acked, "what was acknowledged is there")
			require.LessOrEqual(t, l.Fence, c.acked+c.unknown, "what was not done is not there")
			require.Equal(t, l.Fence, a.Cursor.Line)
			sum += l.Fence
		}
		all, err := tx.Locks().Get("all")
		require.NoError(t, err)
		require.Equal(t, sum, all.Fence)
		var events, after int64
		for {
			some, err := tx.Events(after, 1000)
			require.NoError(t, err)
			if len(some) == 0 {
				break
			}
			events, after = events+int64(len(some)), some[len(some)-1].Seq
		}
		require.Equal(t, sum, events)
		return nil
	})
	for _, c := range counters {
		var next int64
		for line, err := range s.Log(t.Context(), c.action, 0) {
			require.NoError(t, err)
			require.Equal(t, next, line.Number)
			require.Equal(t, fmt.Sprint(next), line.Text)
			next++
		}
		require.GreaterOrEqual(t, next, c.acked)
		t.Logf("%d acknowledged, %d not known", c.acked, c.unknown)
	}
}

// TestSleeper stops in the middle of an update, as a process does that gets
// SIGSTOP. Others do not wait for it for ever, and it changes nothing any more.
func TestSleeper(t *testing.T) {
	t.Parallel()
	s := open(t)
	update(t, s, func(tx forge.Tx) error { return tx.Locks().Insert(&forge.Lock{Key: "a"}) })
	asleep, wake := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- s.Update(t.Context(), func(tx forge.Tx) error {
			err := tx.Locks().Update(&forge.Lock{Key: "a", Fence: 100})
			close(asleep)
			<-wake
			return err
		})
	}()
	<-asleep
	update(t, s, func(tx forge.Tx) error { return tx.Locks().Update(&forge.Lock{Key: "a", Fence: 1}) })
	close(wake)
	require.ErrorIs(t, <-ended, forge.ErrUnavailable)
	view(t, s, func(tx forge.Tx) error {
		l, err := tx.Locks().Get("a")
		require.EqualValues(t, 1, l.Fence)
		return err
	})
}

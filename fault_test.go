package forge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestShortFaultsMakeTheActionWait(t *testing.T) {
	for name, fault := range map[string]error{
		"fence":  sshexec.ErrFenceBusy,
		"answer": sshexec.ErrUnknown,
		"login":  &sshexec.ConnectError{Stage: sshexec.StageAuth, Err: io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				faults := 3
				e := newEngine(t, store, q, func(context.Context, forge.TestWork) error {
					if faults--; faults >= 0 {
						return forge.Unreachable(fmt.Errorf("203.0.113.7: %w", fault))
					}
					return nil
				})
				defer e.start()()
				done, err := e.Actions.Wait(t.Context(), e.insert().ID)
				require.NoError(t, err)
				require.Equal(t, 1, done.Attempt)
			})
		})
	}
}

// An action whose run's end is not known does not give its locks away in
// silence: whoever takes one next knows of the run.
func TestRunThatCannotBeAskedIsLeftToTheNext(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, func(ctx context.Context, w forge.TestWork) error {
			if err := w.StartsRun(ctx); err != nil {
				return err
			}
			return errors.New("something else than the run's status")
		})
		defer e.start()()
		a := e.insert(func(a *forge.Action) { a.Locks = []string{"server-1", "site-1"} })
		_, err := e.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		for _, key := range a.Locks {
			require.NoError(t, store.View(t.Context(), func(tx forge.Tx) error {
				l, err := tx.Locks().Get(key)
				require.NoError(t, err)
				require.Empty(t, l.Holder)
				require.Equal(t, a.ID+"-1", l.Left)
				return nil
			}))
		}
	})
}

func TestPanicWhileSettlingHoldsNothingForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		e := newEngine(t, store, q, func(_ context.Context, w forge.TestWork) error {
			w.Done(func() error { panic("boom") })
			return nil
		})
		defer e.start()()
		_, err := e.Actions.Wait(t.Context(), e.insert().ID)
		require.ErrorIs(t, err, forge.ErrFailed)
	})
}

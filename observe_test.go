package forge_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/queue"
)

// observations keeps what was observed.
type observations struct {
	mu  sync.Mutex
	all []forge.Observation
}

func (o *observations) observe(seen forge.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, seen)
}

// types are those of the observations so far, with the status then.
func (o *observations) types() (types []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, seen := range o.all {
		types = append(types, string(seen.Type)+" "+string(seen.Action.Status))
	}
	return types
}

// disturbed is a store whose updates are all tried twice.
type disturbed struct{ forge.Store }

func (s disturbed) Update(ctx context.Context, fn func(forge.Tx) error) error {
	again := errors.New("again")
	err := s.Store.Update(ctx, func(tx forge.Tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		return again
	})
	if !errors.Is(err, again) {
		return err
	}
	return s.Store.Update(ctx, fn)
}

func TestActionsAreObservedOnceWhenCommitted(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		var seen observations
		f, err := forge.New(forge.Config{Store: disturbed{store}, Queue: q, Observe: seen.observe})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		attempts := 0
		f.SetHandler(forge.KindValidate, 2, time.Minute, func(context.Context, forge.TestWork) error {
			time.Sleep(3 * time.Second)
			if attempts++; attempts == 1 {
				return forge.ErrUnavailable
			}
			return nil
		})
		e := &engine{Forge: f, t: t, store: store}
		a := e.insert()
		time.Sleep(7 * time.Second)
		stop := e.start()
		_, err = e.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		synctest.Wait() // for what is told behind the commit
		stop()

		require.Equal(t, []string{"asked pending", "began running", "retry pending", "began running", "ended finished"}, seen.types())
		require.Equal(t, 7*time.Second, seen.all[1].Took, "it waited for a worker")
		require.Less(t, seen.all[3].Took, 5*time.Second, "since it was due again")
		ended := seen.all[4]
		require.Equal(t, a.ID, ended.Action.ID)
		require.Equal(t, ended.Action.Finished.Sub(ended.Action.Started), ended.Took)
	})
}

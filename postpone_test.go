package forge_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// limited refuses a request for a while.
func limited(t *testing.T, after time.Duration) providertest.Fault {
	t.Helper()
	return providertest.Fault{Err: fmt.Errorf("cloud: %w", &provider.RateLimitError{Reset: time.Now().Add(after)})}
}

func TestRateLimitDoesNotCountTowardsTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		w.cloud.Inject(providertest.OpCreate, limited(t, 40*time.Minute), limited(t, 50*time.Minute))
		defer w.start()()
		began := time.Now()
		srv, a := w.create()
		time.Sleep(time.Minute)
		parts, err := w.Actions.List(t.Context(), forge.ActionFilter{Parent: a.ID}, forge.Page{})
		require.NoError(t, err)
		part := parts[0]
		require.Contains(t, part.Waiting, "too many requests: try again at ")
		require.WithinDuration(t, began.Add(40*time.Minute), part.RunAt, 2*time.Second)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, 3, w.calls(providertest.OpCreate), "it asks when there is a place, and not before")
		require.GreaterOrEqual(t, time.Since(began), 50*time.Minute)
		require.Less(t, time.Since(began), 51*time.Minute)
		require.Equal(t, forge.ServerActive, w.read(srv.ID).Status)
	})
}

func TestCancelWhileARateLimitIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{}).installs()
		w.cloud.Inject(providertest.OpCreate, limited(t, 40*time.Minute))
		defer w.start()()
		_, a := w.create()
		time.Sleep(time.Minute)
		require.NoError(t, w.Actions.Cancel(t.Context(), a.ID))
		began := time.Now()
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Less(t, time.Since(began), 5*time.Second)
		require.Equal(t, forge.ActionCancelled, w.get(a.ID).Status)
	})
}

func TestDeleteEndsWhenTheMachineIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		slow := &lingering{Fake: w.cloud, until: time.Now().Add(30 * time.Second)}
		w.machines = slow
		w = w.join(store, q).installs()
		defer w.start()()
		srv, a := w.create()
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		deleted, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		require.Equal(t, forge.ServerDeleting, w.read(srv.ID).Status)
		require.Contains(t, w.get(deleted.ID).Waiting, "still has machine fake-1")
		_, err = w.Actions.Wait(t.Context(), deleted.ID)
		require.NoError(t, err)
		require.Empty(t, w.cloud.Machines())
		require.False(t, slices.Contains(w.statuses(forge.Subject{Kind: forge.SubjectServer, ID: srv.ID}), "error"))
	})
}

// lingering takes the order to delete a machine, and has it for a while after.
type lingering struct {
	*providertest.Fake
	until time.Time
}

func (l *lingering) Delete(ctx context.Context, id string) error {
	if time.Now().Before(l.until) {
		return ctx.Err()
	}
	return l.Fake.Delete(ctx, id)
}

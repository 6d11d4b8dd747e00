package chaos

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

// A worker dies between the call that makes a machine and its answer. The next
// one finds the machine by its label and makes no second one.
func TestAdoptsWhatADeadWorkerMade(t *testing.T) {
	for name, in := range map[string]func(*testing.T) settings{"postgres": inPostgres, "sqlite": inSQLite} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, in(t), 0, false)
			made := make(chan chan struct{})
			w.cloud.made = made
			first := w.start(t, "first")
			srv, action, err := w.Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "cloud"})
			require.NoError(t, err)
			answer := receive(t, made)
			require.NoError(t, first.kill())
			close(answer)
			require.Equal(t, 1, w.cloud.Made())
			srv, err = w.Servers.Get(t.Context(), srv.ID)
			require.NoError(t, err)
			require.Empty(t, srv.ProviderID, "nobody heard of the machine")

			second := w.start(t, "second")
			require.NoError(t, w.finish(t.Context(), action, nil))
			require.NoError(t, second.end())
			srv, err = w.Servers.Get(t.Context(), srv.ID)
			require.NoError(t, err)
			require.Equal(t, 1, w.cloud.Made())
			require.Equal(t, w.cloud.Machines()[0].ID, srv.ProviderID)
			var creates int
			for _, call := range w.cloud.Calls() {
				if call.Op == providertest.OpCreate {
					creates++
				}
			}
			require.Equal(t, 2, creates, "the second one asked again, by the same label")
		})
	}
}

// receive waits for a value.
func receive[T any](t *testing.T, from <-chan T) (value T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case value = <-from:
	case <-ctx.Done():
		require.FailNow(t, "nothing came")
	}
	return value
}

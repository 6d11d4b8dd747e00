package chaos

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
)

// PostgreSQL is restarted, and then crashes, in the middle of a deployment, which
// goes on all the while. Its log is complete in the end.
func TestPostgresRestartsDuringADeployment(t *testing.T) {
	t.Parallel()
	db := pgtest.Start(t, pgtest.Options{Durable: true})
	w := newWorld(t, settings{URL: db.URL(), Schema: "forge", River: "forge_queue"}, 0, true)
	worker := w.start(t, "only")
	srv, machine := w.server(t)
	const lines = 500
	site, action, err := w.createSite(t.Context(), srv, lines)
	require.NoError(t, w.finish(t.Context(), action, err))
	d, err := w.Deployments.Trigger(t.Context(), site.ID, nil)
	require.NoError(t, err)

	next := w.awaitLine(t, d.Action, 0, "line 50")
	db.Restart(t)
	w.awaitLine(t, d.Action, next, "line 250")
	db.Kill(t)
	db.Start(t)
	require.NoError(t, w.finish(t.Context(), &forge.Action{ID: d.Action, Kind: forge.KindDeploy}, nil))
	require.NoError(t, worker.end())

	require.NoError(t, w.close()) // its connections are broken
	w.opened, err = w.settings.open(t.Context(), slog.New(slog.DiscardHandler), false)
	require.NoError(t, err)
	j := &jobs{world: w, lines: lines, server: srv, machine: machine}
	require.Contains(t, j.check(t), "2 deployments ran once")
}

// awaitLine follows a log until a line, also past a store that does not answer
// for a while, and returns the number of the next one.
func (w *world) awaitLine(t *testing.T, action string, next int64, text string) int64 {
	t.Helper()
	require.NoError(t, insist(t.Context(), func() error {
		for line, err := range w.Actions.Follow(t.Context(), action, next) {
			if err != nil {
				return err
			}
			require.Equal(t, next, line.Number)
			if next++; line.Text == text {
				return nil
			}
		}
		return fmt.Errorf("the log ended without %q", text)
	}))
	return next
}

package chaos

import (
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

	// Whoever follows it bears that, too.
	var next int64
	for line, err := range w.Actions.Follow(t.Context(), d.Action, 0) {
		require.NoError(t, err)
		require.Equal(t, next, line.Number)
		next++
		switch line.Text {
		case "line 50":
			db.Restart(t)
		case "line 250":
			db.Kill(t)
			db.Start(t)
		}
	}
	require.NoError(t, w.finish(t.Context(), &forge.Action{ID: d.Action, Kind: forge.KindDeploy}, nil))
	require.NoError(t, worker.end())

	require.NoError(t, w.close()) // its connections are broken
	w.opened, err = w.settings.open(t.Context(), slog.New(slog.DiscardHandler), false)
	require.NoError(t, err)
	j := &jobs{world: w, lines: lines, server: srv, machine: machine}
	require.Contains(t, j.check(t), "2 deployments ran once")
}

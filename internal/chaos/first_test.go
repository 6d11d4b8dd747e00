package chaos

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFirst(t *testing.T) {
	w := newWorld(t, inSQLite(t), 0, true)
	p := w.start(t, "a")
	srv, machine := w.server(t)
	site, action, err := w.createSite(t.Context(), srv, 100)
	require.NoError(t, w.finish(t.Context(), action, err))
	d, err := w.Deployments.Trigger(t.Context(), site.ID, nil)
	require.NoError(t, err)
	for line, err := range w.Actions.Follow(t.Context(), d.Action, 0) {
		require.NoError(t, err)
		if line.Text == "line 10" {
			require.NoError(t, p.kill())
			p = w.start(t, "b")
		}
		t.Log(line.Number, line.Text)
	}
	t.Log(machine.Inside(t, "cat /srv/ran"))
	t.Log(w.log.tail(100))
	require.NoError(t, p.end())
}

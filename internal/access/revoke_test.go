package access

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// After a revoke, the key opens no server, another one every server, and of every
// file exactly one line is gone.
func TestRevokeTakesAccessAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	ada, bob := w.person("ada"), w.person("bob")
	everywhere := forge.Selector{All: true, User: "deploy"}
	untouched := w.files("deploy")
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, everywhere))
	w.done(w.Keys.Sync(t.Context(), bob.key.ID, everywhere))
	before := w.files("deploy")
	for _, h := range w.fleet.Hosts {
		require.Equal(t, untouched[h.Name]+ada.line()+bob.line(), before[h.Name])
	}
	ada.getsIn(w.fleet.Hosts[0], "deploy")

	revoke := w.done(w.Keys.Revoke(t.Context(), ada.key.ID, everywhere, nil))
	require.Equal(t, 50, revoke.Children)
	after := w.files("deploy")
	for _, h := range w.fleet.Hosts {
		require.Equal(t, strings.Replace(before[h.Name], ada.line(), "", 1), after[h.Name])
		ada.isRefused(h, "deploy")
		bob.getsIn(h, "deploy")
	}

	// Deleting what is on some servers takes it from there.
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, forge.Selector{Labels: map[string]string{"half": "odd"}, User: "deploy"}))
	gone := w.done(w.Keys.Delete(t.Context(), ada.key.ID))
	require.Equal(t, 25, gone.Children)
	require.Equal(t, after, w.files("deploy"))
}

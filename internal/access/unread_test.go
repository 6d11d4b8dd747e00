package access

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// A file that cannot be read may hold what was revoked, and does not count as clean.
func TestWhatIsNotReadIsNotClean(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	h, on := w.fleet.Hosts[0], forge.Selector{All: true, User: "deploy"}
	ada := w.person("ada")
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, on))
	w.bash(h, `cp -p "$1" /root/small; head -c 17M /dev/zero | tr '\0' '#' | fold -w 80 >>"$1"`, keyFile("deploy"))
	ada.getsIn(h, "deploy")

	fails := func(a *forge.Action, err error) {
		t.Helper()
		require.NoError(t, err)
		a, err = w.Actions.Wait(t.Context(), a.ID)
		require.ErrorIs(t, err, forge.ErrFailed)
		require.Contains(t, a.Failure.Message, "/authorized_keys is larger than ")
	}
	grant := func() forge.GrantStatus {
		grants, err := w.Keys.Grants(t.Context(), forge.GrantFilter{Key: ada.key.ID}, forge.Page{})
		require.NoError(t, err)
		require.Len(t, grants, 1)
		return grants[0].Status
	}
	fails(w.Keys.Revoke(t.Context(), ada.key.ID, on, nil))
	for d, err := range w.Keys.Drift(t.Context(), forge.Selector{All: true}) {
		require.NoError(t, err)
		require.ErrorContains(t, d.Err, "read the keys of deploy: the file of keys is too large")
	}
	fails(w.Keys.Enforce(t.Context(), on, nil))
	require.Equal(t, forge.GrantFailed, grant())
	fails(w.Keys.Delete(t.Context(), ada.key.ID))
	require.Equal(t, forge.GrantFailed, grant(), "the key opens it still")

	w.bash(h, `mv /root/small "$1"`, keyFile("deploy"))
	w.done(w.Keys.Enforce(t.Context(), on, nil))
	require.Equal(t, forge.GrantRevoked, grant())
	ada.isRefused(h, "deploy")
}

package access

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// drift is how the servers differ, by the names of the hosts.
func (w *world) drift(on forge.Selector) map[string][]forge.KeyDrift {
	found := map[string][]forge.KeyDrift{}
	for d, err := range w.Keys.Drift(w.t.Context(), on) {
		require.NoError(w.t, err)
		require.NoError(w.t, d.Err, d.Name)
		slices.SortFunc(d.Keys, func(a, b forge.KeyDrift) int { return cmp.Compare(a.State, b.State) })
		if found[d.Name] = d.Keys; d.Keys == nil {
			found[d.Name] = []forge.KeyDrift{}
		}
	}
	return found
}

func TestDriftIsToldAndEnforced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	all, deploy := forge.Selector{All: true}, forge.Selector{All: true, User: "deploy"}
	ada, bob, eve, ops := w.person("ada"), w.person("bob"), w.person("eve"), w.person("ops")
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, deploy))
	w.done(w.Keys.Sync(t.Context(), bob.key.ID, deploy))
	w.done(w.Keys.Revoke(t.Context(), bob.key.ID, deploy, nil))
	first, _, _ := strings.Cut(w.file(w.fleet.Hosts[0], "deploy"), "\n")
	fleets := func(found map[string][]forge.KeyDrift) map[string][]forge.KeyDrift { // without the key by which the fleet came
		for name := range found {
			found[name] = slices.DeleteFunc(found[name], func(k forge.KeyDrift) bool { return k.Line == 1 && k.State == forge.DriftUnknown })
		}
		return found
	}
	none := map[string][]forge.KeyDrift{}
	for _, h := range w.fleet.Hosts {
		none[h.Name] = []forge.KeyDrift{}
	}
	require.Equal(t, none, fleets(w.drift(all)), "the control key is none, nor what is as it was granted")

	h := w.fleet.Hosts[1]
	w.bash(h, `cd /home/deploy/.ssh; cp authorized_keys /tmp/before
sed -i "\|$1|d" authorized_keys
printf '%s\n' "$2 bob again" "# a comment" "from=\"10.0.0.0/8\" $3 by hand" "$4 forge:unmanaged the operators'" >>authorized_keys`,
		ada.key.Public, bob.key.Public, eve.key.Public, ops.key.Public)
	edited := w.file(h, "deploy")
	want := map[string][]forge.KeyDrift{}
	for name := range none {
		want[name] = none[name]
	}
	want[h.Name] = []forge.KeyDrift{
		{User: "deploy", State: forge.DriftMissing, Key: ada.key.ID, Fingerprint: ada.key.Fingerprint},
		{User: "deploy", State: forge.DriftReturned, Key: bob.key.ID, Fingerprint: bob.key.Fingerprint, Comment: "bob again", Line: 2},
		{User: "deploy", State: forge.DriftUnknown, Fingerprint: eve.key.Fingerprint, Options: `from="10.0.0.0/8"`, Comment: "by hand", Line: 4},
	}
	require.Equal(t, want, fleets(w.drift(all)))
	require.Equal(t, want, fleets(w.drift(deploy)))
	require.Equal(t, edited, w.file(h, "deploy"), "looking changes nothing")

	// What is unknown stays, unless it is asked for.
	a := w.done(w.Keys.Enforce(t.Context(), all, nil))
	require.Equal(t, 4, a.Children)
	require.Equal(t, strings.Replace(edited, bob.key.Public+" bob again\n", "", 1)+ada.line(), w.file(h, "deploy"))
	require.Equal(t, []string{"added " + ada.key.Fingerprint + " for deploy", "removed " + bob.key.Fingerprint + " for deploy"}, w.said(a))
	bob.isRefused(h, "deploy")
	ada.getsIn(h, "deploy")

	w.done(w.Keys.Enforce(t.Context(), deploy, &forge.EnforceOpts{Unknown: true, Keep: []string{first}}))
	require.Equal(t, first+"\n# a comment\n"+ops.key.Public+" forge:unmanaged the operators'\n"+ada.line(), w.file(h, "deploy"))
	require.Equal(t, none, fleets(w.drift(deploy)))
	ops.getsIn(h, "deploy")

	// Forge's own key stays, whatever is unknown.
	w.done(w.Keys.Enforce(t.Context(), forge.Selector{All: true, User: "root"}, &forge.EnforceOpts{Unknown: true}))
	for _, h := range w.fleet.Hosts {
		require.Equal(t, 1, strings.Count(w.file(h, "root"), "\n"), "the fleet's key is gone")
	}
	require.Equal(t, none, w.drift(forge.Selector{All: true, User: "root"}))
	for _, srv := range w.servers {
		_, err := w.Servers.Run(t.Context(), srv.ID, forge.RunOpts{Script: "true", User: "root"})
		require.NoError(t, err)
	}
}

// said is what the log of an action says.
func (w *world) said(a *forge.Action) (lines []string) {
	for line, err := range w.Actions.Follow(w.t.Context(), a.ID, 0) {
		require.NoError(w.t, err)
		lines = append(lines, line.Text)
	}
	return lines
}

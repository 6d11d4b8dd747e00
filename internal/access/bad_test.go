package access

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/queue"
)

// bad is a way for a server to be no good, and what is said of it.
type bad struct {
	name   string
	fault  sshfleet.Fault
	script string // instead of a fault
	reason forge.Reason
	says   string
	late   bool // it fails by not answering
}

func badServers() []bad {
	return []bad{
		{name: "silent", fault: sshfleet.Silence, late: true, reason: forge.ReasonUnreachable, says: "handshake"},
		{name: "unplugged", fault: sshfleet.Unplug, late: true, reason: forge.ReasonUnreachable, says: "tcp"},
		{name: "down", fault: sshfleet.Down, late: true, reason: forge.ReasonUnreachable, says: "connection refused"},
		{name: "without sessions", fault: sshfleet.RefuseSessions, late: true, reason: forge.ReasonUnreachable, says: "session"},
		{name: "another host key", fault: sshfleet.NewHostKey, reason: forge.ReasonHostKey, says: "host key"},
		{name: "full", fault: sshfleet.Fill, reason: forge.ReasonExit, says: "no space"},
		{name: "read-only", fault: sshfleet.ReadOnly, reason: forge.ReasonExit, says: "read-only"},
		{name: "unreadable", script: "chown root: /home/deploy/.ssh/authorized_keys; chmod 600 /home/deploy/.ssh/authorized_keys",
			reason: forge.ReasonExit, says: "authorized_keys"},
		{name: "loop", script: "ln -sfn authorized_keys /home/deploy/.ssh/authorized_keys", reason: forge.ReasonExit, says: "authorized_keys"},
		{name: "no home", script: "mv /home/deploy /home/gone", reason: forge.ReasonExit, says: "home"},
	}
}

// Of fifty servers ten are bad, each in its own way: forty are done as if they were
// alone, and each of the ten is reported by its name with the cause.
func TestTenBadServersOfFifty(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 50)
	ada := w.person("ada")
	to := forge.Selector{All: true, User: "deploy"}
	before := w.files("deploy")
	kinds := badServers()
	of := map[string]bad{} // by the id of the server
	for i, kind := range kinds {
		srv := w.servers[i*5]
		of[srv.ID] = kind
		h := w.hosts[srv.ID]
		if kind.script != "" {
			w.bash(h, kind.script)
			continue
		}
		require.NoError(t, h.DropConnections(t.Context()))
		mend, err := h.Break(t.Context(), kind.fault)
		require.NoError(t, err, kind.name)
		t.Cleanup(func() { require.NoError(t, mend()) })
	}

	sync, err := w.Keys.Sync(t.Context(), ada.key.ID, to)
	require.NoError(t, err)
	sync, err = w.Actions.Wait(t.Context(), sync.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Equal(t, []int{50, 10}, []int{sync.Children, sync.ChildrenFailed})
	require.Equal(t, forge.ReasonChild, sync.Failure.Reason)

	var good, late time.Time // when the last of those was done, and the first of these failed
	for part, err := range w.Actions.All(t.Context(), forge.ActionFilter{Parent: sync.ID}) {
		require.NoError(t, err)
		name := w.hosts[part.Server].Name
		kind, isBad := of[part.Server]
		if !isBad {
			require.Equal(t, forge.ActionFinished, part.Status, name)
			require.Equal(t, before[name]+ada.line(), w.file(w.hosts[part.Server], "deploy"))
			if part.Finished.After(good) {
				good = part.Finished
			}
			continue
		}
		require.Equal(t, forge.ActionFailed, part.Status, kind.name)
		require.Equal(t, kind.reason, part.Failure.Reason, "%s: %s", kind.name, part.Failure.Message)
		require.Contains(t, strings.ToLower(part.Failure.Message+part.Failure.Output), kind.says, kind.name)
		require.Contains(t, sync.Failure.Message, name+": "+string(kind.reason), kind.name)
		if kind.late && (late.IsZero() || part.Finished.Before(late)) {
			late = part.Finished
		}
	}
	require.True(t, good.Before(late), "the good ones are done at %s, the first that does not answer is given up at %s", good, late)
	t.Logf("forty took %s, all of it %s", good.Sub(sync.Started), sync.Finished.Sub(sync.Started))
}

// A process that works on one server at a time is not held up by those that let it
// wait.
func TestSilentServersHoldNobodyUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6, func(c *forge.Config) { c.Pools = queue.Pools{"keys": 1} })
	ada := w.person("ada")
	silent := map[string]bool{}
	for i, h := range w.fleet.Hosts[:4] {
		require.NoError(t, h.DropConnections(t.Context()))
		mend, err := h.Break(t.Context(), sshfleet.Silence)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, mend()) })
		silent[w.servers[i].ID] = true
	}
	sync, err := w.Keys.Sync(t.Context(), ada.key.ID, forge.Selector{All: true, User: "deploy"})
	require.NoError(t, err)
	parts, err := w.Actions.List(t.Context(), forge.ActionFilter{Parent: sync.ID}, forge.Page{})
	require.NoError(t, err)
	for _, part := range parts {
		if !silent[part.Server] {
			w.done(part, nil)
		}
	}
	for _, part := range parts {
		if silent[part.Server] {
			now, err := w.Actions.Get(t.Context(), part.ID)
			require.NoError(t, err)
			require.Equal(t, forge.ActionRunning, now.Status)
			require.Zero(t, now.Cursor.Line, "no attempt to reach it has failed yet")
		}
	}
	require.NoError(t, w.Actions.Cancel(t.Context(), sync.ID))
	_, err = w.Actions.Wait(t.Context(), sync.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
}

// What was bad is mended, and taken up again alone.
func TestRetryAfterMending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	ada := w.person("ada")
	to := forge.Selector{All: true, User: "deploy"}
	before := w.files("deploy")
	mend, err := w.fleet.Hosts[1].Break(t.Context(), sshfleet.Fill)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, mend()) })
	sync, err := w.Keys.Sync(t.Context(), ada.key.ID, to)
	require.NoError(t, err)
	_, err = w.Actions.Wait(t.Context(), sync.ID)
	require.ErrorContains(t, err, "1 of 3 servers failed: "+w.fleet.Hosts[1].Name)
	require.Equal(t, before[w.fleet.Hosts[1].Name], w.file(w.fleet.Hosts[1], "deploy"), "nothing was lost")

	require.NoError(t, mend())
	again := w.done(w.Keys.Retry(t.Context(), sync.ID))
	require.Equal(t, 1, again.Children)
	for _, h := range w.fleet.Hosts {
		require.Equal(t, before[h.Name]+ada.line(), w.file(h, "deploy"))
	}
}

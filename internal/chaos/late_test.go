package chaos

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
)

//go:embed late.sh
var lateScript string

// A worker is stopped for longer than its lease, and another one takes its work
// over. What the first one had sent to the server comes there late, and what it
// writes to the store when it wakes: both are refused.
func TestLateWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inPostgres(t), 0, true)
	const lines = 300
	j := &jobs{world: w, lines: lines}
	slow := w.start(t, "slow", func(s *settings) { s.Gated = true })
	j.server, j.machine = w.server(t)
	site, action, err := w.createSite(t.Context(), j.server, lines)
	require.NoError(t, w.finish(t.Context(), action, err))

	t.Log("at the server: the key that a stopped worker puts there is taken away meanwhile, and does not come back")
	late := arm(t, j.machine)
	key, err := w.addKey(t.Context())
	require.NoError(t, err)
	synced, err := w.Keys.Sync(t.Context(), key.ID, j.here())
	require.NoError(t, err)
	process := late.reached(t)
	require.NoError(t, slow.stop())
	quick := w.start(t, "quick")
	require.NoError(t, w.finish(t.Context(), synced, nil))
	blob := strings.Fields(key.Public)[1]
	require.Contains(t, keysOn(t, j.machine), blob)
	revoked, err := w.Keys.Revoke(t.Context(), key.ID, j.here(), nil)
	require.NoError(t, w.finish(t.Context(), revoked, err))
	require.NotContains(t, keysOn(t, j.machine), blob)
	late.arrive(t, process)
	require.NotContains(t, keysOn(t, j.machine), blob, "the fence let a late command pass")
	require.NoError(t, slow.wake())
	w.log.await(t, `msg="an action was handed to another worker" worker=slow`)
	require.NoError(t, quick.end())

	t.Log("at the store: the lines that a stopped worker read are stored by another one, and not once more")
	d, err := w.Deployments.Trigger(t.Context(), site.ID, nil)
	require.NoError(t, err)
	for line, err := range w.Actions.Follow(t.Context(), d.Action, 0) {
		require.NoError(t, err)
		if line.Text == "line 50" {
			break
		}
	}
	gate := w.cloud.shut("slow")
	receive(t, gate.held)
	require.NoError(t, slow.stop())
	quick = w.start(t, "quick")
	require.NoError(t, w.finish(t.Context(), &forge.Action{ID: d.Action, Kind: forge.KindDeploy}, nil))
	before, err := w.Actions.Get(t.Context(), d.Action)
	require.NoError(t, err)
	require.NoError(t, slow.wake())
	close(gate.open)
	w.log.await(t, `msg="`+refusedUpdate+`" worker=slow error="the lease was lost"`)
	after, err := w.Actions.Get(t.Context(), d.Action)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.NoError(t, quick.end())

	// It is none the worse for that.
	j.machine.Inside(t, "rm /usr/local/sbin/perl")
	another, err := w.Keys.Sync(t.Context(), key.ID, j.here())
	require.NoError(t, w.finish(t.Context(), another, err))
	require.Contains(t, keysOn(t, j.machine), blob)
	require.NoError(t, slow.end())
	j.check(t)
}

// keysOn is the file that says who logs in as forge.
func keysOn(t *testing.T, m *testmachine.Machine) string {
	t.Helper()
	return m.Inside(t, "[ ! -e /etc/ssh/authorized_keys.d/forge ] || cat /etc/ssh/authorized_keys.d/forge")
}

// delay is what holds up a command on its way to the fence of a machine.
type delay struct{ machine *testmachine.Machine }

func arm(t *testing.T, m *testmachine.Machine) delay {
	t.Helper()
	m.Inside(t, `mkdir /run/late
mkfifo /run/late/reached /run/late/go
touch /run/late/armed
install -m 0755 /dev/stdin /usr/local/sbin/perl <<<"$1"`, lateScript)
	return delay{m}
}

// reached waits until a command is held up, and returns its process there.
func (d delay) reached(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(d.machine.Inside(t, "timeout 60 cat /run/late/reached"))
}

// arrive lets the command go on, and waits for its end.
func (d delay) arrive(t *testing.T, process string) {
	t.Helper()
	d.machine.Inside(t, `echo >/run/late/go
timeout 60 tail --pid="$1" -f /dev/null`, process)
}

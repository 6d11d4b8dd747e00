package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// deaf leaves children behind in every way that a shell knows, all deaf to the
// usual signals, and never ends. It does so when told to.
const deaf = `if [ -e ~/hang ]; then
	rm ~/hang
	grep ^0:: /proc/self/cgroup
	trap '' TERM INT HUP
	setsid sleep 1000 &
	nohup sleep 1000 >/dev/null 2>&1 &
	(setsid bash -c "trap '' TERM INT HUP; while :; do sleep 1000; done" &)
	echo hanging
	sleep 1000
fi
echo done`

// hang triggers a deployment that does not end by itself and returns it, with
// the control group that it runs in, when it hangs.
func (s *site) hang(t *testing.T) (d *forge.Deployment, cgroup string) {
	t.Helper()
	s.e.bashAs(t, s.server, s.User, "touch ~/hang")
	d, err := s.e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.NoError(t, err)
	s.e.await(t, d.Action, "hanging")
	_, cgroup, _ = strings.Cut(s.e.lines(t, d.Action, forge.LineOutput)[0], "::")
	require.Contains(t, cgroup, "/forge-")
	return d, cgroup
}

// remains prints what is left of a deployment: the processes in its control
// group, and all of the site's user.
func (s *site) remains(t *testing.T, cgroup string) string {
	t.Helper()
	return s.e.bash(t, s.server, `for f in $(find "/sys/fs/cgroup$1" -name cgroup.procs 2>/dev/null); do cat "$f"; done
pgrep -u "$2" -a sleep || true`, cgroup, s.User)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newSite(t, e, srv, forge.SiteOpts{DeployScript: deaf})
	d, cgroup := s.hang(t)
	require.GreaterOrEqual(t, strings.Count(s.remains(t, cgroup), "\n"), 8, "four processes and their owner's")

	began := time.Now()
	require.NoError(t, e.Deployments.Cancel(t.Context(), d.ID))
	d, err := e.Deployments.Wait(t.Context(), d.ID)
	took := time.Since(began)
	require.Empty(t, s.remains(t, cgroup))
	require.Less(t, took, 5*time.Second)
	t.Logf("cancelled, with no process left, after %s", took.Round(time.Millisecond))

	var failed *forge.ActionError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, forge.ActionCancelled, failed.Action.Status)
	require.Equal(t, forge.DeploymentCancelled, d.Status)
	require.Positive(t, d.Duration())
	require.ErrorIs(t, e.Deployments.Cancel(t.Context(), d.ID), forge.ErrState)
	s.goesOn(t)
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	const timeout = 3 * time.Second
	s := newSite(t, e, srv, forge.SiteOpts{DeployScript: deaf, DeployTimeout: timeout})
	d, cgroup := s.hang(t)
	d, err := e.Deployments.Wait(t.Context(), d.ID)
	require.Empty(t, s.remains(t, cgroup))

	var failed *forge.ActionError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, forge.ActionFailed, failed.Action.Status)
	require.Equal(t, forge.ReasonTimeout, failed.Action.Failure.Reason)
	require.Equal(t, "script", failed.Action.Failure.Stage)
	require.Equal(t, forge.DeploymentFailed, d.Status)
	require.GreaterOrEqual(t, d.Duration(), timeout)
	require.Less(t, d.Duration(), timeout+5*time.Second)
	t.Logf("ended, with no process left, %s after its time", (d.Duration() - timeout).Round(time.Millisecond))
	s.goesOn(t)
}

// goesOn checks that the site serves on and that the next deployment works.
func (s *site) goesOn(t *testing.T) {
	t.Helper()
	s.reload(t)
	require.Equal(t, forge.SiteDeployed, s.Status)
	d := s.deploy(t)
	require.Equal(t, []string{"done"}, s.e.lines(t, d.Action, forge.LineOutput))
}

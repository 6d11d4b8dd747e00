package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
)

// restart makes a machine restart in good order, as from its console.
func restart(t *testing.T, m *provider.Machine) {
	t.Helper()
	pids, err := os.ReadFile(filepath.Join(cgroup(t, m), "payload/init.scope/cgroup.procs"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.Fields(string(pids))[0])
	require.NoError(t, err)
	const sigrtmin5 = syscall.Signal(34 + 5) // systemd: start reboot.target
	systemd, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, systemd.Signal(sigrtmin5))
}

// powerLoss kills a machine with all that runs on it, and switches it on again.
func (m *machines) powerLoss(t *testing.T, machine *provider.Machine) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(cgroup(t, machine), "cgroup.kill"), []byte("1"), 0))
	require.Eventually(t, func() bool {
		now, err := m.Get(t.Context(), machine.ID)
		return err == nil && now.Status == provider.StatusOff
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, m.Start(t.Context(), machine.ID))
}

// cgroup is the control group of a machine on this host.
func cgroup(t *testing.T, m *provider.Machine) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if dir := filepath.Join(root, m.ID); exists(filepath.Join(dir, "cgroup.kill")) {
			return dir
		}
	}
	t.Fatalf("the machine %s has no control group", m.ID)
	return ""
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// stops are ways in which a machine stops in the middle.
func (m *machines) stops(t *testing.T, machine *provider.Machine) map[string]func() {
	t.Helper()
	return map[string]func(){
		"a restart":  func() { restart(t, machine) },
		"power loss": func() { m.powerLoss(t, machine) },
	}
}

// stoppedInstalls are interrupted in the middle of dpkg's work, and leave the
// server to another try.
func stoppedInstalls(t *testing.T, e *embedder, srv *forge.Server, machine *provider.Machine) {
	for name, stop := range e.machines.stops(t, machine) {
		t.Run(name, func(t *testing.T) {
			action, err := e.Servers.Retry(t.Context(), srv.ID)
			require.NoError(t, err)
			var stopped time.Time
			e.interrupt(t, action.ID, func(int) {
				if e.part(t, action.ID, forge.KindInstallStack).StepName == "tools" {
					stopped = time.Now()
					stop()
				}
			})
			e.interrupted(t, e.part(t, action.ID, forge.KindInstallStack), stopped)
			require.Equal(t, forge.ReasonInterrupted, e.fails(t, action.ID).Failure.Reason)
			srv, err := e.Servers.Get(t.Context(), srv.ID)
			require.NoError(t, err)
			require.Equal(t, forge.ServerError, srv.Status)
		})
	}
}

// stoppedDeployments are interrupted, and the next one goes well.
func stoppedDeployments(t *testing.T, e *embedder, srv *forge.Server, machine *provider.Machine) {
	s := newSite(t, e, srv, forge.SiteOpts{Kind: forge.StaticSite, DeployScript: deaf})
	for name, stop := range e.machines.stops(t, machine) {
		t.Run(name, func(t *testing.T) {
			d, cgroup := s.hang(t)
			stopped := time.Now()
			stop()
			_, err := e.Deployments.Wait(t.Context(), d.ID)
			require.Error(t, err)
			a, err := e.Actions.Get(t.Context(), d.Action)
			require.NoError(t, err)
			e.interrupted(t, a, stopped)
			s.goesOn(t)
			require.Empty(t, s.remains(t, cgroup))
			// It is cleaned once it has ended.
			require.Equal(t, "claim\n", e.bash(t, srv, `cd "/var/lib/forge/runs/$1"
timeout 30 bash -c 'while [[ -e log ]]; do sleep 0.01; done'
ls -A`, a.Cursor.Run), "it never runs again")
		})
	}
	t.Run("a reboot", func(t *testing.T) { reboot(t, e, s) })
}

// part is the newest action of a kind below a parent.
func (e *embedder) part(t *testing.T, parent string, kind forge.Kind) *forge.Action {
	t.Helper()
	parts, err := e.Actions.List(t.Context(), forge.ActionFilter{Parent: parent, Kind: kind}, forge.Page{Newest: true, Limit: 1})
	require.NoError(t, err)
	require.Len(t, parts, 1)
	return parts[0]
}

// interrupted checks what an action says that a machine cut off.
func (e *embedder) interrupted(t *testing.T, a *forge.Action, stopped time.Time) {
	t.Helper()
	require.Equal(t, forge.ActionFailed, a.Status)
	require.Equal(t, forge.ReasonInterrupted, a.Failure.Reason)
	require.Equal(t, 1, a.Attempt)
	said := e.lines(t, a.ID, forge.LineError)
	require.Contains(t, said[len(said)-1], "the machine stopped in the middle of the run")
	took := a.Finished.Sub(stopped)
	require.Less(t, took, 20*time.Second)
	t.Logf("%s: interrupted, %s after the machine was told to stop", a.Kind, took.Round(10*time.Millisecond))
}

// reboot waits for the deployment that runs, and the next one waits for it.
func reboot(t *testing.T, e *embedder, s *site) {
	const boot = "cat /proc/sys/kernel/random/boot_id"
	before := e.bash(t, s.server, boot)
	first, err := e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.NoError(t, err)
	action, err := e.Servers.Reboot(t.Context(), s.server.ID)
	require.NoError(t, err)
	second, err := e.Deployments.Trigger(t.Context(), s.ID, &forge.DeployOpts{Branch: "main"})
	require.NoError(t, err)
	e.finish(t, action, nil)
	action, err = e.Actions.Get(t.Context(), action.ID)
	require.NoError(t, err)
	first, second = s.deployed(t, first), s.deployed(t, second)
	require.NotEqual(t, before, e.bash(t, s.server, boot))
	require.Less(t, action.Duration(time.Now()), 30*time.Second)
	for _, d := range []*forge.Deployment{first, second} {
		require.True(t, d.Finished.Before(action.Started) || d.Started.After(action.Finished), "none runs meanwhile")
	}
	require.Equal(t, "active\n", e.bash(t, s.server, "systemctl is-active nginx"))
	t.Logf("rebooted in %s", action.Duration(time.Now()).Round(10*time.Millisecond))
}

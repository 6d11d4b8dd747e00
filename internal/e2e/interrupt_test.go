package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
)

// What is interrupted here is the whole program's: its connections and its
// workers. So it has a server of its own.
func TestInterruptions(t *testing.T) { //nolint:tparallel // its parts use the server one after the other
	t.Parallel()
	p := newMachines(t)
	var machine *provider.Machine
	p.spoil = func(m *provider.Machine) error {
		machine = m
		return rewrite(file(m, "etc/ssh/sshd_config"), "Include ", "#Include ")
	}
	const maxLog = 8 << 20
	e, err := start(p, maxLog)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.close()) })
	srv, action, err := e.Servers.Create(t.Context(), forge.ServerOpts{
		Name: "small", Provider: "local", Image: testmachine.Image(), Labels: testmachine.Labels(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.remove(srv.ID)) })

	ok := t.Run("an install that is cancelled", func(t *testing.T) {
		steps := e.interrupt(t, action.ID, func(n int) {
			if n == 3 {
				require.NoError(t, e.Actions.Cancel(t.Context(), action.ID))
			}
		})
		require.Equal(t, "updates", steps[2])
		failed := e.fails(t, action.ID)
		require.Equal(t, forge.ActionCancelled, failed.Status)
		srv, err = e.Servers.Get(t.Context(), srv.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerError, srv.Status)
	}) && t.Run("installs on a machine that stops", func(t *testing.T) {
		stoppedInstalls(t, e, srv, machine)
	}) && t.Run("an install that fails", func(t *testing.T) {
		action, err := e.Servers.Retry(t.Context(), srv.ID)
		require.NoError(t, err)
		cuts := 0 // what is done already comes at once, in one piece
		steps := e.interrupt(t, action.ID, func(n int) {
			if n%3 == 2 {
				cuts += p.cut()
			}
		})
		require.Positive(t, cuts)
		failed := e.fails(t, action.ID)
		require.Equal(t, forge.ReasonExit, failed.Failure.Reason)
		require.Equal(t, "stack: SSH", failed.Failure.Stage)
		require.Equal(t, "SSH", steps[len(steps)-1])
		srv, err = e.Servers.Get(t.Context(), srv.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerError, srv.Status)
		require.NotEmpty(t, srv.Failure)
	}) && t.Run("an install that goes on", func(t *testing.T) {
		require.NoError(t, rewrite(file(machine, "etc/ssh/sshd_config"), "#Include ", "Include "))
		action, err := e.Servers.Retry(t.Context(), srv.ID)
		require.NoError(t, err)
		cuts := 0
		steps := e.interrupt(t, action.ID, func(n int) {
			switch n % 3 {
			case 0:
				require.NoError(t, e.rest())
				e.work()
			case 1:
				cuts += p.cut()
			}
		})
		require.Positive(t, cuts)
		e.finish(t, action, nil)
		require.Equal(t, "cleanup", steps[len(steps)-1])
		require.EqualValues(t, 1, p.made.Load())
		srv, err = e.Servers.Get(t.Context(), srv.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerActive, srv.Status)
		require.Regexp(t, `step 1 of \d+: system\nalready done\n(.*\n)*step \d+ of \d+: tools\nalready done\n`,
			strings.Join(e.lines(t, action.ID, forge.LineOutput), "\n"), "what was done before the failure")
	})
	require.True(t, ok)
	t.Run("a deployment", func(t *testing.T) { interruptedDeployment(t, e, srv) })
	t.Run("deployments on a machine that stops", func(t *testing.T) { stoppedDeployments(t, e, srv, machine) })
	t.Run("a full log", func(t *testing.T) {
		action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{
			User: "forge", Command: "seq -f '%079.0f' 1 400000; touch ~/came-to-its-end",
		})
		e.finish(t, action, err)
		stored := 0
		for _, text := range e.lines(t, action.ID, forge.LineOutput) {
			stored += len(text)
		}
		require.LessOrEqual(t, stored, maxLog)
		require.Greater(t, stored, maxLog*9/10)
		require.Len(t, e.lines(t, action.ID, forge.LineSystem), 1)
		e.bashAs(t, srv, "forge", "rm ~/came-to-its-end")
	})
}

// fails waits for an action that must not end as finished.
func (e *embedder) fails(t *testing.T, action string) *forge.Action {
	t.Helper()
	_, err := e.Actions.Wait(t.Context(), action)
	var failed *forge.ActionError
	require.ErrorAs(t, err, &failed)
	return failed.Action
}

var stepLine = regexp.MustCompile(`^step (\d+) of (\d+): (.+)$`)

// interrupt follows an install, calls disturb at each step with its number, and
// returns the names of the steps, each of which came once and in order.
func (e *embedder) interrupt(t *testing.T, action string, disturb func(step int)) (names []string) {
	t.Helper()
	next := int64(0)
	for line, err := range e.Actions.Follow(t.Context(), action, 0) {
		require.NoError(t, err)
		require.Equal(t, next, line.Number)
		next++
		m := stepLine.FindStringSubmatch(line.Text)
		if m == nil {
			continue
		}
		names = append(names, m[3])
		require.Equal(t, fmt.Sprint(len(names)), m[1], "the steps come once each, in order")
		disturb(len(names))
	}
	return names
}

// rewrite replaces the beginning of a line in a file.
func rewrite(name, before, after string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	changed := strings.Replace("\n"+string(data), "\n"+before, "\n"+after, 1)[1:]
	return os.WriteFile(name, []byte(changed), 0o644)
}

// numbered prints lines for some seconds and notes that it ran.
const numbered = `echo ran >>~/runs
for block in $(seq 0 79); do
	seq -f 'line %.0f' $((block * 100)) $((block * 100 + 99))
	sleep 0.05
done`

func interruptedDeployment(t *testing.T, e *embedder, srv *forge.Server) {
	s := newSite(t, e, srv, forge.SiteOpts{Kind: forge.StaticSite, DeployScript: "test ! -e ~/go || {\n" + numbered + "\n}"})
	require.Equal(t, forge.SiteDeployed, s.Status)
	e.bashAs(t, srv, s.User, "touch ~/go")
	disturbances := map[string]func(){
		"cut connections": func() { e.machines.cut() },
		"restarted workers": func() {
			require.NoError(t, e.rest())
			e.work()
		},
	}
	for name, disturb := range disturbances {
		t.Run(name, func(t *testing.T) {
			e.bashAs(t, srv, s.User, "rm -f ~/runs")
			d, err := e.Deployments.Trigger(t.Context(), s.ID, nil)
			require.NoError(t, err)
			seen, disturbed := 0, 0
			for line, err := range e.Deployments.Follow(t.Context(), d.ID, 0) {
				require.NoError(t, err)
				if line.Type != forge.LineOutput {
					continue
				}
				require.Equal(t, fmt.Sprintf("line %d", seen), line.Text)
				seen++
				if seen%1000 == 500 {
					disturb()
					disturbed++
				}
			}
			s.deployed(t, d)
			require.Equal(t, 8000, seen)
			require.Equal(t, "ran\n", e.bashAs(t, srv, s.User, "cat ~/runs"))
			action, err := e.Actions.Get(t.Context(), d.Action)
			require.NoError(t, err)
			require.Equal(t, 1, action.Attempt)
			t.Logf("8000 lines, once each and in order, through %d times %s; taken up %d times", disturbed, name, action.Epoch)
		})
	}
}

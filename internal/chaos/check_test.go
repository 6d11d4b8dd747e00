package chaos

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
)

// records are all that the store has.
type records struct {
	servers     []*forge.Server
	deployments []*forge.Deployment
	actions     []*forge.Action
	locks       []*forge.Lock
}

func (w *world) records(t *testing.T) (r records) {
	t.Helper()
	require.NoError(t, w.store.View(t.Context(), func(tx forge.Tx) error {
		var errs [4]error
		r.servers, errs[0] = all(tx.Servers(), func(srv *forge.Server) string { return srv.ID })
		r.deployments, errs[1] = all(tx.Deployments(), func(d *forge.Deployment) string { return d.ID })
		r.actions, errs[2] = all(tx.Actions(), func(a *forge.Action) string { return a.ID })
		r.locks, errs[3] = all(tx.Locks(), func(l *forge.Lock) string { return l.Key })
		return errors.Join(errs[:]...)
	}))
	return r
}

func all[T, F any](table forge.Table[T, F], id func(*T) string) (found []*T, err error) {
	page := forge.Page{Limit: forge.MaxPage}
	for {
		var filter F
		some, err := table.List(filter, page)
		found = append(found, some...)
		if err != nil || len(some) < page.Limit {
			return found, err
		}
		page.After = id(some[len(some)-1])
	}
}

// check looks at what the workers left, and says what it saw.
func (j *jobs) check(t *testing.T) string {
	t.Helper()
	r := j.records(t)
	outputs := map[string][]string{}
	for _, a := range r.actions {
		require.Equal(t, forge.ActionFinished, a.Status, "%s %s: %v", a.Kind, a.ID, describe(a))
		require.Empty(t, a.Holder, "%s %s has a holder", a.Kind, a.ID)
		require.Zero(t, a.Lease, "%s %s has a lease", a.Kind, a.ID)
		require.Empty(t, a.Waits)
		outputs[a.ID] = j.checkLog(t, a)
	}
	for _, l := range r.locks {
		require.Empty(t, l.Holder, "the lock %s is held", l.Key)
		require.Empty(t, l.Left, "a run is left under the lock %s", l.Key)
	}
	deployments, lines := j.checkDeployments(t, r, outputs)
	here, there, deleted := j.checkMachines(t, r.servers)
	j.checkKeys(t)
	return fmt.Sprintf("%d actions finished; %d deployments ran once each; %d lines, 1..%d in each; %d machines here for as many servers, "+
		"%d at the faulty cloud, %d deleted, %d made (faults: %s); %d keys put, %d taken away; no lease, no lock, nothing running",
		len(r.actions), deployments, lines, j.lines, here, there, deleted, j.cloud.Made(), counts(j.cloud.wrong),
		len(j.granted), len(j.revoked))
}

// checkDeployments looks at the server, where each deployment noted that it ran,
// and at what they printed.
func (j *jobs) checkDeployments(t *testing.T, r records, outputs map[string][]string) (deployments, lines int) {
	t.Helper()
	var printed []string
	for i := range j.lines {
		printed = append(printed, fmt.Sprintf("line %d", i+1))
	}
	actions := map[string]*forge.Action{}
	for _, a := range r.actions {
		actions[a.ID] = a
	}
	var asked []string
	for _, d := range r.deployments {
		require.Equal(t, forge.DeploymentFinished, d.Status, d.Failure)
		a := actions[d.Action]
		require.Equal(t, 1, a.Attempt)
		asked = append(asked, runOf(a))
		require.Equal(t, printed, outputs[a.ID], "deployment %s", d.ID)
		lines += len(printed)
	}
	ran := strings.Fields(j.machine.Inside(t, "cat /srv/ran"))
	slices.Sort(ran)
	slices.Sort(asked)
	require.Equal(t, asked, ran, "what was asked for ran once")
	require.Empty(t, j.machine.Inside(t, "systemctl list-units --plain --no-legend --state=active,activating,deactivating 'forge-run-*'"))
	return len(asked), lines
}

// checkLog reads a log, whose numbers have neither a gap nor a double, and returns
// what was printed.
func (j *jobs) checkLog(t *testing.T, a *forge.Action) (output []string) {
	t.Helper()
	var next int64
	for line, err := range j.Actions.Log(t.Context(), a.ID, 0, 0) {
		require.NoError(t, err)
		require.Equal(t, next, line.Number, "%s %s", a.Kind, a.ID)
		next++
		if line.Type == forge.LineOutput {
			output = append(output, line.Text)
		}
	}
	if a.Children == 0 { // a log of parts is theirs
		require.Equal(t, a.Cursor.Line, next, "%s %s", a.Kind, a.ID)
	}
	return output
}

// checkMachines compares the records with what there is.
func (j *jobs) checkMachines(t *testing.T, servers []*forge.Server) (here, there, deleted int) {
	t.Helper()
	recorded := map[string][]string{}
	for _, srv := range servers {
		if srv.Status == forge.ServerDeleted {
			deleted++
			continue
		}
		require.Equal(t, forge.ServerActive, srv.Status)
		recorded[srv.Provider] = append(recorded[srv.Provider], srv.ID+" "+srv.ProviderID)
	}
	own, err := j.own(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, recorded["local"], specs(own))
	require.ElementsMatch(t, recorded["cloud"], specs(j.cloud.Machines()))
	require.Equal(t, len(j.cloud.Machines())+deleted, j.cloud.Made(), "no second machine was made for a server")
	return len(own), len(j.cloud.Machines()), deleted
}

func specs(machines []*provider.Machine) (all []string) {
	for _, m := range machines {
		all = append(all, m.SpecID+" "+m.ID)
	}
	return all
}

// checkKeys looks for each key on the machine.
func (j *jobs) checkKeys(t *testing.T) {
	t.Helper()
	file := keysOn(t, j.machine)
	for _, key := range j.granted {
		require.Equal(t, 1, strings.Count(file, strings.Fields(key)[1]))
	}
	for _, key := range j.revoked {
		require.NotContains(t, file, strings.Fields(key)[1])
	}
}

var kindOf = regexp.MustCompile(`an action was taken from a silent worker.*kind=(\w+)`)

// takenOver says how often workers went on with what others had left.
func (w *world) takenOver() string {
	kinds := map[string]int{}
	n, lost := 0, len(w.log.with("a wake-up that nobody heard was replaced"))
	for _, line := range w.log.with("an action was taken from a silent worker") {
		if found := kindOf.FindStringSubmatch(line); found != nil {
			kinds[found[1]]++
			n++
		}
	}
	return fmt.Sprintf("%d times work was taken from the dead: %s; %d times a wake-up", n, counts(kinds), lost)
}

func counts(of map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, of[name]))
	}
	return strings.Join(parts, ", ")
}

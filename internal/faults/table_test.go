package faults

import (
	"context"
	"errors"
	"flag"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of the time is spent waiting; but machines that boot compete.
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", strconv.Itoa(len(faults)/2))
	}
	goleak.VerifyTestMain(m)
}

func TestGate(t *testing.T) { servertest.Shellcheck(t, gateScript) }

// cell is what became of a job that met a fault.
type cell struct {
	text   string       // for the table
	reason forge.Reason // where it failed
	class  string       // of the error then
}

// column is what was seen of one fault.
type column struct {
	*fault
	cells map[forge.Kind]cell
}

func TestFaults(t *testing.T) {
	columns := make([]*column, len(faults))
	t.Run("the table", func(t *testing.T) {
		for i := range faults {
			c := &column{&faults[i], map[forge.Kind]cell{}}
			columns[i] = c
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.fill(t)
			})
		}
	})
	if !t.Failed() && !slices.Contains(columns, nil) { // all of them ran
		compare(t, render(columns))
	}
}

// fill tries every job.
func (c *column) fill(t *testing.T) {
	w := newWorld(t, c.fault)
	c.makeServer(t, w)
	if c.lost {
		action := w.create(t)
		w.finish(t, action, nil)
	}
	w.ready(t)
	if c.before != nil && c.lost {
		c.tryAll(t, w)
		return
	}
	for _, j := range everyJob() {
		t.Run(string(j.kind), func(t *testing.T) { c.try(t, w, j, j.prepare(t, w)) })
	}
}

// tryAll tries the jobs on a server that is lost for good.
func (c *column) tryAll(t *testing.T, w *world) {
	all := everyJob()
	asks := make([]func(*testing.T) *forge.Action, len(all))
	for i, j := range all {
		asks[i] = j.prepare(t, w)
	}
	c.before(t, w)
	struck := *c.fault
	struck.before = nil
	for i, j := range all {
		t.Run(string(j.kind), func(t *testing.T) { (&column{&struck, c.cells}).try(t, w, j, asks[i]) })
	}
}

// try has one job meet the fault.
func (c *column) try(t *testing.T, w *world, j job, ask func(*testing.T) *forge.Action) {
	undo := func() {}
	if c.before != nil {
		if u := c.before(t, w); u != nil {
			undo = once(u)
		}
		t.Cleanup(undo)
	}
	if j.gate == "" && c.name != "record gone" { // nothing to meet on the server
		c.see(t, w, ask(t), nil)
		return
	}
	if c.middle == nil {
		a := w.part(t, ask(t), j.kind)
		c.see(t, w, a, undo)
		return
	}
	if j.kind == forge.KindDeleteServer && c.name == "record gone" {
		w.cloud.gone = func() { w.update(t, func(tx forge.Tx) error { return tx.Servers().Delete(w.server.ID) }) }
		c.see(t, w, ask(t), undo)
		return
	}
	if j.gate == "" {
		c.cells[j.kind] = cell{text: "has none"}
		return
	}
	w.arm(t, j.gate)
	a := w.part(t, ask(t), j.kind)
	w.held(t)
	c.middle(t, w, j, a)
	c.see(t, w, a, undo)
	if c.name == "record gone" { // for the next
		w.update(t, func(tx forge.Tx) error {
			if _, err := tx.Servers().Get(w.server.ID); err == nil {
				return nil
			}
			return tx.Servers().Insert(w.server)
		})
		if _, err := w.Sites.Get(t.Context(), w.site.ID); err != nil {
			w.site = w.newSite(t, "gate")
		}
	}
}

// once is a function that does nothing when it is called again.
func once(f func()) func() {
	var once sync.Once
	return func() { once.Do(f) }
}

// see waits for the end of an action and notes what it was.
func (c *column) see(t *testing.T, w *world, a *forge.Action, undo func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	met := false
	began := time.Now()
	if c.passes != nil && undo != nil {
		ended := make(chan struct{})
		waiting, stop := context.WithCancel(ctx)
		go func() {
			defer close(ended)
			_, _ = w.ended(waiting, a.ID)
		}()
		select {
		case <-c.passes(t, w, a):
			met = true
		case <-ended:
		}
		undo()
		stop()
		<-ended
	}
	end, err := w.ended(ctx, a.ID)
	if err != nil {
		now, _ := w.Actions.Get(t.Context(), a.ID)
		t.Fatalf("stuck: %v: %+v\n%s", err, now, w.log(t, a.ID))
	}
	c.cells[a.Kind] = w.judge(t, end, met)
	t.Logf("%s, %s: %s after %s\n%+v\n%s", c.name, a.Kind, c.cells[a.Kind].text, time.Since(began).Round(10*time.Millisecond),
		end.Failure, w.log(t, a.ID))
}

// judge says what became of an action, and fails the test where it does not
// tell why.
func (w *world) judge(t *testing.T, a *forge.Action, met bool) cell {
	t.Helper()
	c := cell{text: string(a.Status)}
	if a.Status == forge.ActionFinished {
		if a.Attempt > 1 {
			c.text += ", at another attempt"
		}
		if met {
			c.text += ", once it was over"
		}
		return c
	}
	require.NotNil(t, a.Failure, "it does not say why")
	require.NotEqual(t, forge.ReasonNone, a.Failure.Reason)
	require.NotEmpty(t, a.Failure.Message)
	c.text += ": " + string(a.Failure.Reason)
	if a.Status == forge.ActionFailed {
		require.NotEmpty(t, a.Failure.Stage)
		first, _, _ := strings.Cut(a.Failure.Message, "\n")
		require.Contains(t, w.log(t, a.ID), first, "the log does not say why")
		c.reason, c.class = a.Failure.Reason, class(t, a)
	}
	return c
}

// class names the class of the error that an action's caller gets.
func class(t *testing.T, a *forge.Action) string {
	t.Helper()
	err := &forge.ActionError{Action: a}
	for name, class := range map[string]error{
		"ErrFailed": forge.ErrFailed, "ErrUnavailable": forge.ErrUnavailable, "ErrUnknown": forge.ErrUnknown,
	} {
		if errors.Is(err, class) {
			return name
		}
	}
	t.Fatalf("%v is of no class", err)
	return ""
}

// makeServer has the two jobs that make a server meet the fault.
func (c *column) makeServer(t *testing.T, w *world) {
	provision := job{kind: forge.KindProvision, forget: forgetServer}
	install := job{kind: forge.KindInstallStack, forget: forgetServer}
	made, proceed := make(chan *provider.Machine), make(chan *provider.Machine)
	w.cloud.made = func(m *provider.Machine) (*provider.Machine, error) {
		select {
		case made <- m:
		case <-t.Context().Done():
			return m, nil
		}
		select {
		case changed := <-proceed:
			return changed, nil
		case <-t.Context().Done():
			return m, nil
		}
	}
	defer func() { w.cloud.made = nil }()
	begin := func(t *testing.T) (*forge.Action, *provider.Machine) {
		action := w.create(t)
		m := <-made
		w.setMachine(t, m)
		return w.part(t, action, forge.KindProvision), m
	}
	switch c.name {
	case "record gone":
		t.Run(string(provision.kind), func(t *testing.T) {
			a, m := begin(t)
			w.update(t, func(tx forge.Tx) error { return forgetServer(tx, a) })
			proceed <- m
			c.see(t, w, a, nil)
		})
	case "server gone":
		t.Run(string(provision.kind), func(t *testing.T) {
			a, m := begin(t)
			c.before(t, w)
			m.Status = provider.StatusPending
			proceed <- m
			c.see(t, w, a, nil)
		})
	}
	ok := t.Run(string(install.kind), func(t *testing.T) {
		a, m := begin(t)
		if w.missing {
			w.machine.Inside(t, "dpkg --purge unzip")
		}
		undo := func() {}
		if c.before != nil {
			if u := c.before(t, w); u != nil {
				undo = once(u)
			}
			t.Cleanup(undo)
		}
		if c.middle != nil {
			w.arm(t, "gate")
		}
		proceed <- m
		end, err := w.ended(t.Context(), a.ID)
		require.NoError(t, err)
		if _, seen := c.cells[provision.kind]; !seen {
			c.cells[provision.kind] = w.judge(t, end, false)
		}
		parts, err := w.Actions.List(t.Context(), forge.ActionFilter{Parent: a.Parent, Kind: install.kind}, forge.Page{})
		require.NoError(t, err)
		require.Len(t, parts, 1)
		if c.middle != nil {
			w.held(t)
			c.middle(t, w, install, parts[0])
		}
		c.see(t, w, parts[0], undo)
	})
	require.True(t, ok)
}

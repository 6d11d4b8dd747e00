package forge

import (
	"context"
	"regexp"
	"strconv"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// install waits for SSH and for the end of the first boot, and installs the stack
// with a detached run. The script consists of steps that look whether they are
// done already, so that another attempt goes on where the last one failed. On a bare
// server, nothing is installed.
func (c *core) install(ctx context.Context, w *work) error {
	srv, p, err := w.machine(ctx)
	if err != nil {
		return err
	}
	if srv.Bare {
		return c.installBare(ctx, w, srv)
	}
	script, err := stack.Build(srv.stackConfig(p.Properties().Existing))
	if err != nil {
		return err
	}
	spec := sshexec.RunSpec{ID: w.runID(), Script: script.Bytes, Dir: "/", Fence: w.fence}
	spec.Files = map[string][]byte{}
	for _, p := range srv.passwords() {
		value, err := c.unseal(ctx, srv, p.file, p.sealed, p.place)
		if err != nil {
			return err
		}
		spec.Files[p.file] = []byte(value.Reveal())
	}
	if w.action.Cursor.Run == "" {
		if err := c.firstBoot(ctx, w, srv); err != nil {
			return err
		}
		if err := c.renewHostKey(ctx, w, srv); err != nil {
			return err
		}
		if err := w.stage(ctx, "stack"); err != nil {
			return err
		}
	}
	if err := w.detached(ctx, srv, spec, watchSteps); err != nil {
		return err
	}
	// The keys that sshd accepts may have changed.
	c.pool.Forget(srv.ID)
	return nil
}

var stepLine = regexp.MustCompile(`^step ([0-9]{1,3}) of ([0-9]{1,3}): (.{1,200})$`)

// watchSteps turns the line with which each step of the stack begins into the
// progress of the action.
func watchSteps(t *txn, a *Action, text string) {
	m := stepLine.FindStringSubmatch(text)
	if m == nil {
		return
	}
	a.Step, _ = strconv.Atoi(m[1])
	a.Steps, _ = strconv.Atoi(m[2])
	a.StepName, a.Stage = m[3], "stack: "+m[3]
	t.Emit(Event{
		Owner: a.Owner, Type: EventStep, Subject: a.Subject, Action: a.ID, Server: a.Server,
		Step: a.Step, Steps: a.Steps, Name: a.StepName,
	})
}

func (c *core) installChanged(t *txn, a *Action) error {
	switch a.Status {
	case ActionRunning:
		return c.stepServer(t, a, ServerProvisioning)
	case ActionFailed, ActionCancelled:
		return c.stepServer(t, a, ServerError)
	case ActionFinished:
		return c.stepServer(t, a, ServerActive)
	}
	return nil
}

package sshexec

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/seed-797f2c2c/forge/sshexec/internal/runcall"
)

// Attach starts a detached run, unless it was started or barred before, and
// copies its log to w, from byte from on and as it comes, until the run has
// ended and its whole log is delivered. However often and by how many it is
// called for one ID, the script runs at most once; when there is a run of that
// ID already, the rest of the spec but MaxLog is ignored.
//
// What w received is a part of the log without gaps, also when there is an
// error: to go on, call Attach with from raised by that much. The error wraps
// [ErrUnknown] when the connection was lost; the run goes on, as it does when
// ctx is done. It is a *[StartError] when the server could not start the run, and
// wraps [ErrInvalid] when the spec breaks a rule, [ErrFenced] or [ErrFenceBusy]
// when its fence refused the start, [ErrShrunk] when the log is shorter than
// what was read of it (the status is valid none the less), and an error of w.
func (c *Client) Attach(ctx context.Context, spec RunSpec, from int64, w io.Writer) (RunStatus, error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return RunStatus{State: RunUnknown}, err
	}
	payload := spec.payload()
	return c.ask(ctx, request{
		id:      spec.ID,
		scripts: "attach start follow",
		fenced:  true,
		call:    runcall.Attach,
		from:    from,
		args: []string{
			decimal(spec.MaxLog), decimal(int64(len(payload))),
			spec.User, spec.Dir, decimal(spec.StopTimeout.Milliseconds()),
			spec.Fence.Key, decimal(spec.Fence.Epoch),
		},
		stdin:  payload,
		stdout: w,
	})
}

// Follow is [Client.Attach] without the start. Where there is no such run, the
// state is [RunUnknown]. The log has no limit but an error of w.
func (c *Client) Follow(ctx context.Context, id string, from int64, w io.Writer) (RunStatus, error) {
	return c.ask(ctx, request{
		id:      id,
		scripts: "follow",
		call:    runcall.Follow,
		from:    from,
		args:    []string{decimal(math.MaxInt64)},
		stdout:  w,
	})
}

// Status returns what the server knows of a run.
func (c *Client) Status(ctx context.Context, id string) (RunStatus, error) {
	return c.ask(ctx, request{id: id, call: runcall.Status})
}

// Stop ends a run with all its processes, by TERM and, after its StopTimeout,
// KILL, and returns how it ended: a script that came to its end is
// [RunExited]. A run that has not started is barred: it never starts. Where
// there is no systemd, processes that made a process group of their own go on.
//
// When ctx is done while it waits, the run is stopped none the less.
func (c *Client) Stop(ctx context.Context, id string) (RunStatus, error) {
	status, err := c.ask(ctx, request{id: id, scripts: "stop", call: runcall.Stop})
	if err == nil && !status.Ended() {
		err = fmt.Errorf("stop run %s: it is still %s", id, status.State)
	}
	return status, err
}

// Clean removes the log of a run that has ended and all else that it left on
// the server, but for the few bytes that keep it from running again. What does
// not exist or is clean already is no error; a run that has not ended is.
func (c *Client) Clean(ctx context.Context, id string) error {
	status, err := c.ask(ctx, request{id: id, scripts: "clean", call: runcall.Clean})
	if err == nil && status.State == RunRunning {
		err = fmt.Errorf("clean run %s: it is still running", id)
	}
	return err
}

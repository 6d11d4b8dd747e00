package sshexec

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

//go:embed detached/*.sh
var scripts embed.FS

// Attach starts a detached run, unless it was started or barred before, and
// copies its log to w, from byte from on and as it comes, until the run has
// ended and its whole log is delivered. However often and by how many it is
// called for one ID, the script runs at most once; when there is a run of that
// ID already, the rest of the spec but MaxLog is ignored.
//
// What w received is a part of the log without gaps, also when there is an
// error: to go on, call Attach with from raised by that much. The error wraps
// [ErrUnknown] when the connection was lost; the run goes on, as it does when
// ctx is done. It is a [StartError] when the run could not be started, [ErrFenced]
// when spec.Fence refused that, and [ErrShrunk] when the log is shorter than what was
// read of it. An error of w is returned as it is.
func (c *Client) Attach(ctx context.Context, spec RunSpec, from int64, w io.Writer) (RunStatus, error) {
	spec = spec.withDefaults()
	if err := spec.validate(); err != nil {
		return RunStatus{State: RunUnknown}, err
	}
	payload, err := spec.payload()
	if err != nil {
		return RunStatus{State: RunUnknown}, fmt.Errorf("pack run %s: %w", spec.ID, err)
	}
	limit := spec.MaxLog
	if limit == 0 {
		limit = math.MaxInt64
	}
	return c.detached(ctx, w, payload, "attach follow", spec.ID, `attach "${@:2}"`,
		decimal(from), decimal(limit),
		decimal(int64(len(payload))), spec.User, spec.Dir, decimal(spec.StopTimeout.Milliseconds()),
		spec.Fence.Key, decimal(spec.Fence.Epoch),
		source("lib start")+`start "${@:2}"`, fenceScript)
}

// Follow is [Client.Attach] without the start. Where there is no such run, the
// state is [RunUnknown]. The log has no limit but an error of w.
func (c *Client) Follow(ctx context.Context, id string, from int64, w io.Writer) (RunStatus, error) {
	return c.detached(ctx, w, nil, "follow", id, `follow "$2" "$3"`, decimal(from), decimal(math.MaxInt64))
}

// Status returns what the server knows of a run.
func (c *Client) Status(ctx context.Context, id string) (RunStatus, error) {
	return c.detached(ctx, io.Discard, nil, "", id, "look; report")
}

// Stop ends a run with all its processes, by TERM and, after its StopTimeout,
// KILL, and returns how it ended: a script that came to its end is
// [RunExited]. A run that has not started is barred: it never starts. Where
// there is no systemd, processes that made a process group of their own go on.
//
// When ctx is done while it waits, the run is stopped none the less.
func (c *Client) Stop(ctx context.Context, id string) (RunStatus, error) {
	status, err := c.detached(ctx, io.Discard, nil, "stop", id, "stop")
	if err == nil && !status.Ended() {
		err = fmt.Errorf("stop run %s: it is still %s", id, status.State)
	}
	return status, err
}

// Clean removes the log of a run that has ended and all else that it left on
// the server, but for the few bytes that keep it from running again. What does
// not exist or is clean already is no error; a run that has not ended is.
func (c *Client) Clean(ctx context.Context, id string) error {
	status, err := c.detached(ctx, io.Discard, nil, "clean", id, "clean")
	if err == nil && status.State == RunRunning {
		err = fmt.Errorf("clean run %s: it is still running", id)
	}
	return err
}

// detached runs the named scripts for a run as root and reads their report.
func (c *Client) detached(ctx context.Context, w io.Writer, payload []byte, names, id, call string, args ...string) (RunStatus, error) {
	unknown := RunStatus{State: RunUnknown}
	if !idPattern.MatchString(id) {
		return unknown, &StartError{ID: id, Reason: "the ID is not 1 to 64 lower-case letters, digits and dashes"}
	}
	rep := &report{status: unknown}
	err := c.exchange(ctx, Command{
		Script: source("lib "+names) + call,
		Args:   append([]string{id}, args...),
		Stderr: rep,
	}, payload, w)
	return rep.outcome(id, err)
}

// exchange runs a script on the server. When ctx is done it leaves at once: the
// end of its stdin ends the script.
func (c *Client) exchange(ctx context.Context, cmd Command, payload []byte, w io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil) // ends stdin
	out := &output{w: w, cancel: cancel}
	cmd.Stdin, cmd.Stdout = &lifeline{ctx: ctx, payload: payload}, out
	a, err := c.start(ctx, cmd, rand.Text())
	if err != nil {
		return err
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
	}
	result, err := a.finish(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil && result.Truncated: // w took too long for the rest
		return ErrUnknown
	}
	return err
}

// output passes on to w, whose error ends the exchange.
type output struct {
	w      io.Writer
	cancel context.CancelCauseFunc
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil {
		o.cancel(err)
	}
	return n, err
}

// source returns the embedded scripts of these names as one.
func source(names string) string {
	var b strings.Builder
	for name := range strings.FieldsSeq(names) {
		src, err := scripts.ReadFile("detached/" + name + ".sh")
		if err != nil {
			panic(err) // the name is a constant
		}
		b.Write(src)
	}
	return b.String()
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

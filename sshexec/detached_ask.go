package sshexec

import (
	"context"
	"crypto/rand"
	"embed"
	"io"
	"strconv"
	"strings"
)

//go:embed detached
var scripts embed.FS

// request is one exchange with the server about a run.
type request struct {
	id      string
	scripts string // the names of those that call needs
	fenced  bool   // one of them needs a fence
	call    string
	from    int64    // the second argument; the first is the id
	args    []string // further ones
	stdin   []byte
	stdout  io.Writer // of the run's log; defaults to nothing
}

// ask makes an exchange, as root, and returns what was reported.
func (c *Client) ask(ctx context.Context, req request) (RunStatus, error) {
	rep := &report{status: RunStatus{State: RunUnknown}}
	if !idRule.MatchString(req.id) {
		return rep.status, invalidRun(req.id, "an ID has 1 to 64 lower-case letters, digits and dashes")
	}
	if req.from < 0 {
		return rep.status, invalidRun(req.id, "the offset %d is negative", req.from)
	}
	if req.stdout == nil {
		req.stdout = io.Discard
	}
	passed, err := c.exchange(ctx, Command{
		Script: req.source(),
		Perl:   true,
		Args:   append([]string{req.id, decimal(req.from)}, req.args...),
		Stdout: req.stdout,
		Stderr: rep,
	}, req.stdin)
	if err == nil && req.from+passed < rep.copied { // its rest was lost on the way
		err = ErrUnknown
	}
	return rep.outcome(req.id, err)
}

// exchange runs a script on the server, and returns how many bytes were passed on
// to its stdout. When ctx is done it leaves at once: the end of its stdin ends the
// script.
func (c *Client) exchange(ctx context.Context, cmd Command, stdin []byte) (passed int64, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil) // ends stdin
	cmd.Stdin = &lifeline{payload: stdin, done: ctx.Done()}
	stdout := &output{w: cmd.Stdout, cancel: cancel}
	cmd.Stdout = stdout
	a, err := c.start(ctx, cmd, rand.Text())
	if err != nil {
		return 0, err
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
	}
	result, err := a.finish(ctx)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err == nil && result.Truncated: // the writer took too long for the rest
		err = ErrUnknown
	}
	return stdout.passed, err
}

// output passes on to w, whose error ends the exchange.
type output struct {
	w      io.Writer
	cancel context.CancelCauseFunc
	passed int64 // bytes
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.passed += int64(n)
	if err != nil {
		o.cancel(err)
	}
	return n, err
}

// source is the script that does what is asked for.
func (r request) source() string {
	var b strings.Builder
	for name := range strings.FieldsSeq("lib " + r.scripts) {
		b.Write(embedded(name + ".pl"))
	}
	if r.fenced {
		b.WriteString("our $fence = <<'FENCE';\n" + fenceSource + "FENCE\n")
	}
	b.WriteString(r.call)
	return b.String()
}

func embedded(name string) []byte {
	src, err := scripts.ReadFile("detached/" + name)
	if err != nil {
		panic(err) // the name is a constant
	}
	return src
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

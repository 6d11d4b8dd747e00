package sshexec

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrFenceBusy says that another command held the fence for 30 s. Nothing ran.
var ErrFenceBusy = errors.New("another command holds the fence of this server")

//go:embed stop.pl
var stopScript string

const (
	// What the server gets to end a command whose context is done.
	stopTimeout = 5 * time.Second
	// A child that the script left behind may hold its output open: once the
	// script has ended, this long without output, or this long in all.
	drainQuiet = time.Second
	drainMost  = 10 * time.Second
)

// Run runs a command and waits for its end. When it exits with 0 the error is
// nil. Otherwise:
//
//   - *ExitError, with the Result: it failed, or was ended by a signal.
//   - ErrFenced, ErrFenceBusy: the fence refused it. Nothing ran.
//   - ErrInvalid, ErrTooLarge, *ConnectError: it was not started. Nothing ran.
//   - ErrUnknown: the connection was lost, and what became of it is not known.
//   - The context's error: its processes were stopped, for which Run takes at
//     most 5 seconds more. When the server did not confirm it, the error is
//     ErrUnknown as well.
//
// Processes that the script leaves in the background run on. Run does not wait
// for them, and what they print is lost soon after the script's end.
func (c *Client) Run(ctx context.Context, cmd Command) (*Result, error) {
	token := rand.Text()
	a, err := c.start(ctx, cmd, token)
	if err != nil {
		return nil, err
	}
	select {
	case <-a.ended:
		return a.finish(ctx)
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	stopErr := c.stop(ctx, token)
	select {
	case <-a.ended:
	case <-ctx.Done():
	}
	result, err := a.finish(ctx)
	switch {
	case err == nil: // it was faster
		return result, nil
	case errors.Is(err, ErrUnknown):
		return nil, fmt.Errorf("%w: %w", err, cause)
	case stopErr != nil: // it has ended, and may have left processes behind
		return nil, fmt.Errorf("%w: %w: stop it: %w", ErrUnknown, cause, stopErr)
	default:
		return result, fmt.Errorf("the command was stopped: %w", cause)
	}
}

// stop ends the processes of a command. It goes by another session, as sshd
// before 9.8 does not deliver signals to a process of root, and as the session
// of the command may be stuck.
func (c *Client) stop(ctx context.Context, token string) error {
	a, err := c.Urgent().start(ctx, Command{Script: stopScript, Perl: true, Args: []string{token}}, rand.Text())
	if err != nil {
		return err
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
	}
	_, err = a.finish(ctx)
	return err
}

// attached is a command that runs in a session.
type attached struct {
	*session
	mark           string
	begun          time.Time
	stdout, stderr *sink
	drained        chan struct{} // closed when the outputs are at their end
	ended          chan struct{} // closed when the command is, or the session is lost
	exit           *exit         // valid when ended; nil: not known
	refused        atomic.Bool   // the server runs no commands
}

type exit struct {
	code   int
	signal string
}

// start sends a command to the server.
func (c *Client) start(ctx context.Context, cmd Command, token string) (*attached, error) {
	if err := cmd.check(); err != nil {
		return nil, err
	}
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	a := &attached{
		session: s,
		mark:    rand.Text(),
		begun:   time.Now(),
		stdout:  &sink{to: cmd.Stdout},
		stderr:  &sink{to: cmd.Stderr},
		drained: make(chan struct{}),
		ended:   make(chan struct{}),
	}
	line, err := cmd.line(s.conn.target.User, token, a.mark)
	if err != nil {
		s.close()
		go s.discard()
		return nil, err
	}
	var open atomic.Int32
	open.Store(2)
	output := func(to *sink, from io.Reader) {
		receive(to, from)
		if open.Add(-1) == 0 {
			close(a.drained)
		}
	}
	go output(a.stdout, s.ch)
	go output(a.stderr, s.ch.Stderr())
	go a.requests()
	go a.exec(line, cmd.Stdin)
	return a, nil
}

// exec starts the command and feeds it.
func (a *attached) exec(line string, stdin io.Reader) {
	ok, err := a.ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{line}))
	if err != nil {
		return // the connection is gone
	}
	if !ok {
		a.refused.Store(true)
		a.close()
		return
	}
	if stdin != nil {
		_, _ = io.Copy(a.ch, stdin)
	}
	_ = a.ch.CloseWrite()
}

// requests waits for the exit status, and then for the session's end. The
// library's Session tells the status only at the session's end, which a child
// that keeps the output open delays.
func (a *attached) requests() {
	for req := range a.reqs {
		if e := parseExit(req); e != nil && a.exit == nil {
			a.exit = e
			close(a.ended)
		}
		if req.WantReply {
			_ = req.Reply(false, nil)
		}
	}
	if a.exit == nil {
		close(a.ended)
	}
	a.release()
}

func parseExit(req *ssh.Request) *exit {
	switch req.Type {
	case "exit-status":
		if len(req.Payload) == 4 {
			return &exit{code: int(binary.BigEndian.Uint32(req.Payload))}
		}
	case "exit-signal":
		var msg struct {
			Signal         string
			Core           bool
			Text, Language string
		}
		if ssh.Unmarshal(req.Payload, &msg) == nil {
			return &exit{code: -1, signal: msg.Signal}
		}
	}
	return nil
}

// finish waits for the rest of the output, closes the session, and says what
// became of the command.
func (a *attached) finish(ctx context.Context) (*Result, error) {
	cut := !a.drain(ctx)
	a.close()
	a.stdout.close()
	a.stderr.close()
	var end *exit
	select {
	case <-a.ended:
		end = a.exit
	default:
	}
	switch {
	case a.refused.Load():
		return nil, &ConnectError{Addr: a.conn.target.Addr, Stage: StageSession, Err: errors.New("the server refused to run a command")}
	case end == nil:
		return nil, fmt.Errorf("%s: %w", a.conn.target.Addr, ErrUnknown)
	case end.code == 97 && strings.Contains(a.stderr.end(), a.mark+" fenced"):
		return nil, ErrFenced
	case end.code == 98 && strings.Contains(a.stderr.end(), a.mark+" busy"):
		return nil, ErrFenceBusy
	}
	result := &Result{
		ExitCode:  end.code,
		Signal:    end.signal,
		Stdout:    a.stdout.head,
		Stderr:    a.stderr.head,
		Truncated: cut || a.stdout.truncated || a.stderr.truncated,
		Duration:  time.Since(a.begun),
	}
	if end.code != 0 {
		return result, &ExitError{ExitCode: end.code, Signal: end.signal, Stderr: a.stderr.end()}
	}
	if err := errors.Join(a.stdout.err, a.stderr.err); err != nil {
		return result, fmt.Errorf("write the command's output: %w", err)
	}
	return result, nil
}

// drain waits for the end of the outputs and reports whether it came. The time
// that the caller's writers take does not count.
func (a *attached) drain(ctx context.Context) bool {
	begun := time.Now()
	_, before := a.pace()
	timer := time.NewTimer(drainQuiet)
	defer timer.Stop()
	for {
		select {
		case <-a.drained:
			return true
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		quiet, spent := a.pace()
		waited := time.Since(begun)
		left := min(drainQuiet-min(quiet, waited), drainMost-(waited-(spent-before)))
		if left <= 0 {
			return false
		}
		timer.Reset(left)
	}
}

func (a *attached) pace() (quiet, spent time.Duration) {
	quiet1, spent1 := a.stdout.pace()
	quiet2, spent2 := a.stderr.pace()
	return min(quiet1, quiet2), spent1 + spent2
}

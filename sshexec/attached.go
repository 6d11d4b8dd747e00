package sshexec

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrFenceBusy says that another command held the fence for 30 s. Nothing ran.
var ErrFenceBusy = errors.New("another command holds the fence of this server")

//go:embed stop.pl
var stopScript string

// stopTimeout is what the server gets to end a command whose context is done.
const stopTimeout = 5 * time.Second

// Run runs a command and waits for its end. When it exits with 0 the error is
// nil. Otherwise:
//
//   - *ExitError, with the Result: it failed, or was ended by a signal.
//   - ErrFenced, ErrFenceBusy: the fence refused it. Nothing ran.
//   - ErrInvalid, ErrTooLarge, *ConnectError: it was not started. Nothing ran.
//   - ErrUnknown: the connection was lost, and what became of it or what it
//     printed is not known.
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
	closed         chan struct{} // closed when the session is
	lost           bool          // valid when closed: its connection was lost before
	refused        atomic.Bool   // the server runs no commands
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
		closed:  make(chan struct{}),
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
	a.lost = a.conn.wire.over.Load()
	close(a.closed)
	a.release()
}

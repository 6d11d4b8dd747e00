package sshexec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	// A child that the script left behind may hold its output open: once the
	// script has ended, this long without output, or this long in all.
	drainQuiet = time.Second
	drainMost  = 10 * time.Second
)

type exit struct {
	code   int
	signal string
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
	lost := a.cutOff()
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
	case end == nil || lost:
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

// cutOff reports whether what came of the outputs may have lacked its end, once they
// are drained: the connection was lost first. (The release closes some, too.)
func (a *attached) cutOff() bool {
	over := a.conn.wire.over.Load()
	select {
	case <-a.closed:
		return a.lost
	default:
		return over
	}
}

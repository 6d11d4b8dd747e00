package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"iter"
	"os"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge"
)

//go:embed lines.sh
var writeLines string

// printLines prints them as fast as a program can.
const printLines = "cat /srv/lines"

// stream is a run that prints a million lines of 80 bytes, all of which are kept
// in memory and seen by one who follows.
func stream() row { return row{name: "stream-1m", unit: "s", setup: setUpStream} }

func setUpStream(ctx context.Context, l *lab) (*trial, error) {
	h, err := l.inMemory(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.bash(ctx, writeLines, strconv.Itoa(l.lines)); err != nil {
		return nil, err
	}
	ours := func(ctx context.Context) error {
		action, err := h.forge.Servers.Exec(ctx, h.server.ID, forge.ExecOpts{User: "forge", Command: printLines})
		if err != nil {
			return err
		}
		return follow(ctx, h.forge, action.ID, l.lines)
	}
	c, err := l.connect(ctx, h)
	if err != nil {
		return nil, err
	}
	floor := func(context.Context) error {
		lines := &lineCounter{}
		err := runIn(c, printLines, nil, lines)
		if err == nil && lines.n != l.lines {
			err = fmt.Errorf("%d lines came of %d", lines.n, l.lines)
		}
		return err
	}
	master := h.masterOptions()
	return &trial{
		ours: timed(ours),
		peers: []peer{
			{"floor", timed(floor)}, h.toFile("ssh >file", l.lines), h.toFile("ssh ControlMaster >file", l.lines, master...),
		},
		close: func() error { return h.ssh(ctx, "", append(master, "-O", "exit", "-q")...).Run() },
	}, nil
}

// lineCounter is the least that can be done with lines: each is made a string.
type lineCounter struct {
	n    int
	rest []byte
	last string
}

func (c *lineCounter) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			c.rest = append(c.rest, p...)
			return n, nil
		}
		c.last = string(append(c.rest, p[:i]...))
		c.n++
		c.rest, p = c.rest[:0], p[i+1:]
	}
}

// masterOptions make commands of OpenSSH's client share a connection, which stays
// open.
func (h *host) masterOptions() []string {
	return []string{"-o", "ControlMaster=auto", "-o", "ControlPersist=600", "-o", "ControlPath=" + h.file("master")}
}

// toFile prints the lines by OpenSSH into a file.
func (h *host) toFile(name string, lines int, options ...string) peer {
	return peer{name, timed(func(ctx context.Context) error {
		out, err := os.Create(h.file("out"))
		if err != nil {
			return err
		}
		defer func() { _ = os.Remove(out.Name()) }()
		cmd := h.ssh(ctx, printLines, options...)
		cmd.Stdout = out
		if err := errors.Join(cmd.Run(), out.Close()); err != nil {
			return err
		}
		info, err := os.Stat(out.Name())
		if err == nil && info.Size() != int64(lines)*80 {
			err = fmt.Errorf("%d bytes came for %d lines", info.Size(), lines)
		}
		return err
	})}
}

// follow reads what an action prints until its end, which has to be all of the
// lines in their order, and a good end.
func follow(ctx context.Context, f *forge.Forge, action string, lines int) error {
	if err := count(f.Actions.Follow(ctx, action, 0), lines); err != nil {
		return err
	}
	_, err := f.Actions.Wait(ctx, action)
	return err
}

func count(log iter.Seq2[forge.Line, error], lines int) error {
	next, printed := int64(0), 0
	for line, err := range log {
		if err != nil {
			return err
		}
		if line.Number != next {
			return fmt.Errorf("line %d came in place of %d", line.Number, next)
		}
		next++
		if line.Type != forge.LineOutput {
			continue
		}
		printed++
		number, _, _ := strings.Cut(line.Text, " ")
		if n, err := strconv.Atoi(number); err != nil || n != printed || len(line.Text) != 79 {
			return fmt.Errorf("line %d is %q", printed, line.Text)
		}
	}
	if printed != lines {
		return fmt.Errorf("%d lines came of %d", printed, lines)
	}
	return nil
}

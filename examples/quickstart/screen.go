package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/seed-797f2c2c/forge"
)

// screen shows what happens: on a terminal with a bar for the steps of an
// install, elsewhere as plain lines.
type screen struct {
	forge *forge.Forge
	out   io.Writer
	bars  *mpb.Progress // nil where there is no terminal
	stop  context.CancelFunc
	ended sync.WaitGroup
}

func newScreen(f *forge.Forge) *screen {
	ctx, stop := context.WithCancel(context.Background())
	s := &screen{forge: f, out: os.Stdout, stop: stop}
	if term.IsTerminal(int(os.Stdout.Fd())) {
		s.bars = mpb.New(mpb.WithWidth(48))
		s.out = s.bars
	}
	s.ended.Go(func() { s.events(ctx) })
	return s
}

func (s *screen) close() {
	s.stop()
	s.ended.Wait()
	if s.bars != nil {
		s.bars.Shutdown()
	}
}

func (s *screen) title(text string) { _, _ = fmt.Fprintf(s.out, "\n== %s\n", text) }

func (s *screen) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, "-- "+format+"\n", args...)
}

func (s *screen) page(line string) {
	_, _ = fmt.Fprintln(s.out, "   ", forge.Line{Text: line}.Printable())
}

// follow shows the lines of an action until its end, and returns how it ended.
func (s *screen) follow(ctx context.Context, id string) error {
	for line, err := range s.forge.Actions.Follow(ctx, id, 0) {
		if err != nil {
			return err
		}
		mark := "   "
		if line.Type == forge.LineError {
			mark = " ! "
		}
		_, _ = fmt.Fprintln(s.out, mark+line.Printable())
	}
	_, err := s.forge.Actions.Wait(ctx, id)
	return err
}

// events shows every change of a status, and the steps of an install as a bar.
func (s *screen) events(ctx context.Context) {
	var bar *mpb.Bar
	name := ""
	started := time.Now()
	for e, err := range s.forge.Events(ctx, &forge.EventFilter{After: forge.Beginning}) {
		switch {
		case err != nil:
			return
		case e.Time.Before(started): // of a run that was killed
		case e.Type == forge.EventStatus && e.Subject.Kind != forge.SubjectAction:
			s.say("%s is %s", e.Subject.Kind, e.To)
			if bar != nil && e.Subject.Kind == forge.SubjectServer {
				bar.Abort(true)
				bar = nil
			}
		case e.Type == forge.EventStep && e.Name != "" && s.bars != nil:
			name = fmt.Sprintf(" %d of %d: %s", e.Step, e.Steps, e.Name)
			if bar == nil {
				bar = s.bars.AddBar(int64(e.Steps), mpb.BarRemoveOnComplete(), mpb.AppendDecorators(
					decor.Any(func(decor.Statistics) string { return name })))
			}
			bar.SetCurrent(int64(e.Step - 1))
		}
	}
}

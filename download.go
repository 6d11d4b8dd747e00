package forge

import (
	"bufio"
	"context"
	"io"
)

// Download writes the stored lines of an action to w as text, and returns how
// many bytes it wrote. Each line is as Line.Printable shows it, so that the text
// is safe to print to a terminal; what forge said itself stands behind
// "[forge] ", and what went wrong behind "[forge] error: ". The text is UTF-8,
// but not escaped for HTML.
//
// It reads as Log does, and never holds more than a small part of the log. Where
// there is nothing to read, as the action is not there or its log was removed, it
// returns the error before it writes anything.
func (s *Actions) Download(ctx context.Context, id string, w io.Writer) (int64, error) {
	f, err := s.f.ask(ctx, "Actions.Download", Subject{SubjectAction, id})
	if err != nil {
		return 0, err
	}
	counted := &countingWriter{w: w}
	out := bufio.NewWriterSize(counted, 32<<10)
	for line, err := range f.Actions.Log(ctx, id, 0, 0) {
		if err != nil {
			_ = out.Flush() // what was read before; the reading's own error is the one to return
			return counted.n, err
		}
		switch line.Type {
		case LineSystem:
			_, err = out.WriteString("[forge] ")
		case LineError:
			_, err = out.WriteString("[forge] error: ")
		}
		if err == nil {
			_, err = out.WriteString(line.Printable() + "\n")
		}
		if err != nil {
			return counted.n, err
		}
	}
	err = out.Flush()
	return counted.n, err
}

// countingWriter counts what reached the writer below.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

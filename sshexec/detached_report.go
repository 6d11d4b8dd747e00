package sshexec

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// report is what the scripts on the server say on stderr. Nothing that a run
// prints comes there. Other lines, as sudo or the kernel may cause, are kept
// for the error.
type report struct {
	status  RunStatus
	refused string
	fenced  bool
	shrunk  bool
	whole   bool // the last line came
	line    []byte
	noise   []byte
}

// maxLine bounds a line of the report, and the noise.
const maxLine = 4 << 10

func (r *report) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, found := bytes.Cut(rest, []byte("\n"))
		r.line = append(r.line, part[:min(len(part), maxLine-len(r.line))]...)
		if found {
			r.read(string(r.line))
			r.line = r.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

func (r *report) read(line string) {
	message, ours := strings.CutPrefix(line, "forge-run: ")
	verb, rest, _ := strings.Cut(message, " ")
	switch {
	case !ours:
		r.noise = append(r.noise, line[:min(len(line), maxLine-len(r.noise))]...)
	case verb == "refused":
		r.refused = rest
	case verb == "fenced":
		r.fenced = true
	case verb == "shrunk":
		r.shrunk = true
	case verb == "state":
		r.whole = r.readState(strings.Fields(rest))
	}
}

// readState reads "SIZE unknown" or "SIZE exited 3" or "SIZE killed TERM".
func (r *report) readState(words []string) bool {
	if len(words) < 2 {
		return false
	}
	size, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return false
	}
	s := RunStatus{State: RunState(words[1]), LogSize: size}
	switch {
	case len(words) == 2 && s.State != RunExited:
	case len(words) == 3 && words[1] == "exited":
		if s.ExitCode, err = strconv.Atoi(words[2]); err != nil {
			return false
		}
	case len(words) == 3: // killed or dumped
		s.State, s.Signal = RunSignaled, words[2]
	default:
		return false
	}
	r.status = s
	return true
}

// outcome is for when the scripts came to their end.
func (r *report) outcome(id string) (RunStatus, error) {
	switch {
	case r.fenced:
		return r.status, fmt.Errorf("start run %s: %w", id, ErrFenced)
	case r.refused != "":
		return r.status, &StartError{ID: id, Reason: r.refused}
	case !r.whole:
		return r.status, fmt.Errorf("run %s: the server ended the exchange too early: %s: %w", id, r.noise, ErrUnknown)
	case r.shrunk:
		return r.status, fmt.Errorf("run %s: %w", id, ErrShrunk)
	}
	return r.status, nil
}

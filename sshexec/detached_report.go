package sshexec

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// report is what the scripts on the server say on stderr. Nothing that a run
// prints comes there. Lines of others, such as sudo, are passed over.
type report struct {
	status  RunStatus
	refused string
	fenced  bool
	busy    bool
	broken  string // why the fence could not be asked
	shrunk  bool
	copied  int64 // up to which byte the log was sent
	whole   bool  // the last line came
	line    []byte
}

// maxLine bounds a line of the report, in bytes.
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
	case !ours && strings.HasPrefix(line, "fence "):
		r.broken = line
	case !ours:
	case verb == "refused":
		r.refused = rest
	case verb == "busy":
		r.busy = true
	case verb == "fenced":
		r.fenced = true
	case verb == "shrunk":
		r.shrunk = true
	case verb == "copied":
		r.copied, _ = strconv.ParseInt(rest, 10, 64)
	case verb == "state":
		r.whole = r.readState(strings.Fields(rest))
	}
}

// readState reads "SIZE running", "SIZE exited 3 exit-code" or "SIZE killed TERM
// signal".
func (r *report) readState(words []string) bool {
	words = append(words, "", "", "")
	size, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return false
	}
	s := RunStatus{LogSize: size}
	switch words[1] {
	case "exited":
		s.State = RunExited
		s.ExitCode, err = strconv.Atoi(words[2])
	case "killed", "dumped":
		s.State, s.Signal = RunSignaled, words[2]
	case string(RunUnknown), string(RunRunning), string(RunInterrupted), string(RunBarred):
		s.State = RunState(words[1])
	default:
		return false
	}
	if err == nil {
		r.status = s
	}
	return err == nil
}

// outcome is the end of an exchange that returned err.
func (r *report) outcome(id string, err error) (RunStatus, error) {
	var exit *ExitError
	switch {
	case r.fenced:
		err = ErrFenced
	case r.busy:
		err = ErrFenceBusy
	case r.refused != "":
		return r.status, &StartError{ID: id, Reason: r.refused}
	case r.broken != "":
		return r.status, &StartError{ID: id, Reason: r.broken}
	case r.shrunk:
		err = ErrShrunk
	case err == nil && !r.whole:
		err = fmt.Errorf("the follower on the server was ended: %w", ErrUnknown)
	case errors.As(err, &exit): // the run may go on
		err = fmt.Errorf("the follower on the server was ended: %w: %v", ErrUnknown, exit) //nolint:errorlint // it is no failure of the run
	}
	if err != nil {
		err = fmt.Errorf("run %s: %w", id, err)
	}
	return r.status, err
}

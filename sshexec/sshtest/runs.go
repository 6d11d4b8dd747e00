package sshtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/seed-797f2c2c/forge/sshexec/internal/runcall"
)

// Runner does the work of a detached run and returns its exit status. Its
// context ends when the run is stopped, or the server closed.
type Runner func(ctx context.Context, run *Run) int

// Run is a detached run.
type Run struct {
	ID     string
	User   string
	Dir    string
	Script string
	Env    map[string]string
	Files  map[string][]byte
	Log    io.Writer // what the script prints
}

// runs are the detached runs that a server knows.
type runs struct {
	mu   sync.Mutex
	byID map[string]*started
}

// started is a run that was started, or barred.
type started struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	log    []byte
	state  string        // as the report says it
	more   chan struct{} // closed at the next change
}

// end asks the run to end.
func (r *started) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel()
}

func (r *started) Write(p []byte) (int, error) {
	r.change(func() { r.log = append(r.log, p...) })
	return len(p), nil
}

func (r *started) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
	close(r.more)
	r.more = make(chan struct{})
}

// serveRun answers what is asked about a detached run, and reports whether that
// is what the command is.
func (s *Server) serveRun(ctx context.Context, e *Exec) (code int, is bool) {
	if s.opts.Run == nil || len(e.Args) < 2 {
		return 0, false
	}
	id, call := e.Args[0], e.Script[strings.LastIndexByte(e.Script, '\n')+1:]
	switch call {
	case runcall.Attach:
		run, err := s.startRun(e)
		if err != nil {
			_, _ = fmt.Fprintf(e.Stderr, "forge-run: refused %v\n", err)
			return 1, true
		}
		follow(ctx, e, run)
	case runcall.Follow:
		follow(ctx, e, s.runs.get(id))
	case runcall.Stop:
		s.stopRun(ctx, id)
		report(e, s.runs.get(id))
	case runcall.Status, runcall.Clean:
		report(e, s.runs.get(id))
	default:
		return 0, false
	}
	return 0, true
}

func (r *runs) get(id string) *started {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id]
}

// claim returns the run of an id, and whether it is new.
func (r *runs) claim(id, state string) (run *started, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.byID[id]; run != nil {
		return run, false
	}
	if r.byID == nil {
		r.byID = map[string]*started{}
	}
	run = &started{state: state, more: make(chan struct{}), cancel: func() {}}
	r.byID[id] = run
	return run, true
}

// endAll asks all runs to end.
func (r *runs) endAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range r.byID {
		run.end()
	}
}

// startRun starts the run of an attach, unless there was one of this id.
func (s *Server) startRun(e *Exec) (*started, error) {
	if len(e.Args) < 7 {
		return nil, errors.New("arguments are missing")
	}
	r := &Run{ID: e.Args[0], User: e.Args[4], Dir: e.Args[5]}
	if err := r.unpack(e.Stdin, e.Args[3]); err != nil {
		return nil, err
	}
	run, fresh := s.runs.claim(r.ID, "running")
	if !fresh {
		return run, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.Log = run
	run.change(func() { run.cancel = cancel })
	s.tasks.Go(func() {
		defer cancel()
		code := s.opts.Run(ctx, r)
		run.change(func() {
			run.state = fmt.Sprintf("exited %d exit-code", code)
			if ctx.Err() != nil {
				run.state = "killed TERM signal"
			}
		})
	})
	return run, nil
}

// unpack reads the payload of a start.
func (r *Run) unpack(stdin io.Reader, size string) error {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	r.Env, r.Files = map[string]string{}, map[string][]byte{}
	files, err := runcall.ReadPayload(io.LimitReader(stdin, n))
	if err != nil {
		return err
	}
	for path, data := range files {
		switch name, file := strings.CutPrefix(path, "files/"); {
		case file:
			r.Files[name] = data
		case path == "script":
			r.Script = string(data)
		case path == "environ":
			for entry := range bytes.SplitSeq(data, []byte{0}) {
				if key, value, ok := strings.Cut(string(entry), "="); ok {
					r.Env[key] = value
				}
			}
		}
	}
	return nil
}

// stopRun stops a run and waits for its end, or bars it.
func (s *Server) stopRun(ctx context.Context, id string) {
	run, fresh := s.runs.claim(id, "barred")
	if fresh {
		return
	}
	run.end()
	for {
		run.mu.Lock()
		state, more := run.state, run.more
		run.mu.Unlock()
		if state != "running" {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			return
		}
	}
}

// follow copies the log as it comes until the run has ended, and reports.
func follow(ctx context.Context, e *Exec, run *started) {
	from, _ := strconv.ParseInt(e.Args[1], 10, 64)
	limit, _ := strconv.ParseInt(e.Args[2], 10, 64)
	for run != nil {
		run.mu.Lock()
		state, more := run.state, run.more
		log := run.log[min(from, int64(len(run.log))):min(limit, int64(len(run.log)))]
		run.mu.Unlock()
		if _, err := e.Stdout.Write(log); err != nil {
			return
		}
		from += int64(len(log))
		if state != "running" {
			_, _ = fmt.Fprintf(e.Stderr, "forge-run: copied %d\n", from)
			break
		}
		select {
		case <-more:
		case <-ctx.Done():
			return
		}
	}
	report(e, run)
}

// report says the state of a run and the size of its log.
func report(e *Exec, run *started) {
	state, size := "unknown", 0
	if run != nil {
		run.mu.Lock()
		state, size = run.state, len(run.log)
		run.mu.Unlock()
	}
	_, _ = fmt.Fprintf(e.Stderr, "forge-run: state %d %s\n", size, state)
}

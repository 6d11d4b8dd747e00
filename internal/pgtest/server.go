package pgtest

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

//go:embed supervise.sh
var supervise string

// patience is how long a server may take to start or to stop.
const patience = time.Minute

// Options say what a Server is like.
type Options struct {
	// Durable keeps what was committed through Kill, by syncing. It is slower.
	Durable bool
	// Settings are further ones, as "max_wal_size=1GB".
	Settings []string
}

// Server is a PostgreSQL that a test has for itself.
type Server struct {
	dir     string
	cmd     *exec.Cmd
	control io.WriteCloser // its end is the end of the server
	answers *os.File
	lines   *bufio.Scanner
}

// Start starts a server that ends with the test. It is for tests that stop it.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	s, err := Open(opts)
	require.NoError(t, err, "a PostgreSQL for tests")
	t.Cleanup(s.Close)
	return s
}

// Open starts a server for a program that is no test, which closes it. It ends
// with the program, however that ends.
func Open(opts Options) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	settings := []string{
		"-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=16MB",
		"-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "jit=off",
	}
	if !opts.Durable {
		settings = append(settings, "-c", "fsync=off", "-c", "full_page_writes=off")
	}
	for _, setting := range opts.Settings {
		settings = append(settings, "-c", setting)
	}
	s := &Server{cmd: exec.Command("/bin/sh", append([]string{"-c", supervise, "supervise", bin}, settings...)...)}
	s.cmd.Dir = "/" // the user may not be allowed into this one
	if err := unprivileged(s.cmd); err != nil {
		return nil, err
	}
	if s.control, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	answers, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.cmd.Stdout, s.cmd.Stderr = theirs, theirs
	s.answers, s.lines = answers, bufio.NewScanner(answers)
	err = s.cmd.Start()
	_ = theirs.Close()
	if err != nil {
		_ = answers.Close()
		return nil, err
	}
	if err := s.expect("ready"); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// URL is that of a database on the server, which stays the same.
func (s *Server) URL() string {
	return "postgres://postgres@/postgres?host=" + url.QueryEscape(s.dir)
}

// Stop shuts the server down. Its connections are ended.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	require.NoError(t, s.tell("INT", "stopped"))
}

// Kill ends the server without a word to anyone, as a crash does.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	require.NoError(t, s.tell("QUIT", "stopped"))
}

// Start starts the server again after Stop or Kill.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, s.tell("start", "ready"))
}

// Restart is Stop and Start.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

func (s *Server) tell(order, answer string) error {
	if _, err := fmt.Fprintln(s.control, order); err != nil {
		return err
	}
	return s.expect(answer)
}

// expect reads until the supervisor gives an answer. Whatever else it says is
// what went wrong.
func (s *Server) expect(answer string) error {
	if err := s.answers.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	var said []string
	for s.lines.Scan() {
		if s.lines.Text() == answer {
			return nil
		}
		if dir, ok := strings.CutPrefix(s.lines.Text(), "directory "); ok {
			s.dir = dir
			continue
		}
		said = append(said, s.lines.Text())
	}
	return errors.Join(fmt.Errorf("postgres is not %s: %s", answer, strings.Join(said, "\n")), s.lines.Err())
}

// Close ends the server and removes what it has stored.
func (s *Server) Close() {
	_ = s.control.Close()
	_ = s.cmd.Wait() // what it says is of no interest any more
	_ = s.answers.Close()
}

// programs finds the folder of PostgreSQL's programs, which Debian keeps off the
// PATH.
func programs() (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		// The others may not be linked to where it is.
		initdb, err = filepath.EvalSymlinks(initdb)
		return filepath.Dir(initdb), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("no initdb found: install PostgreSQL (scripts/setup test, or the package postgresql of " +
			"Debian and Ubuntu), or name a server in FORGE_TEST_POSTGRES_URL")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

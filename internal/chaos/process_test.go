package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is a worker in a process of its own.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	log   *journal
	ended chan struct{} // closed when the process is gone, and err is set
	err   error
}

// start starts a worker, which says what it does to the journal.
func (s settings) start(log *journal) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self), log: log, ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), settingsVariable+"="+s.json())
	p.cmd.Stderr = log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// kill ends the process at once, by SIGKILL, also when it is stopped. It reports
// what the process had died of by itself before.
func (p *process) kill() error {
	select {
	case <-p.ended:
		return fmt.Errorf("a worker ended by itself: %w", p.err)
	default:
	}
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// end asks the process to stop working, and waits until it has.
func (p *process) end() error {
	_ = p.stdin.Close()
	select {
	case <-p.ended:
		return p.err
	case <-time.After(30 * time.Second):
		_ = p.kill()
		return fmt.Errorf("a worker did not end within 30 s of being asked")
	}
}

// journal keeps what processes say, line by line.
type journal struct {
	mu    sync.Mutex
	lines []string
	rest  string
	more  chan struct{} // closed when there are more lines
}

func newJournal() *journal { return &journal{more: make(chan struct{})} }

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	parts := strings.Split(j.rest+string(p), "\n")
	j.lines, j.rest = append(j.lines, parts[:len(parts)-1]...), parts[len(parts)-1]
	close(j.more)
	j.more = make(chan struct{})
	return len(p), nil
}

// with are the lines with a text.
func (j *journal) with(text string) (found []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// await waits for a line with a text.
func (j *journal) await(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		j.mu.Lock()
		more := j.more
		j.mu.Unlock()
		if len(j.with(text)) > 0 {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			require.FailNow(t, "nobody said: "+text)
		}
	}
}

// tail is the end of it.
func (j *journal) tail(n int) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.lines[max(0, len(j.lines)-n):], "\n")
}

package sshexec

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	maxTail  = 4 << 10
	keptTail = maxTail + 1 // tells whether there was more, and whether a line ends there
)

// sink takes one output of a command: it passes it on or keeps its beginning,
// and keeps its end for an error. It is deaf once it is closed.
type sink struct {
	mu        sync.Mutex
	to        io.Writer // nil: keep the beginning
	head      []byte
	tail      []byte // at most twice keptTail
	truncated bool
	closed    bool
	err       error         // of the writer
	last      time.Time     // when it last had something
	spent     time.Duration // in the writer
}

// receive passes an output on until its end. Most are short, so the buffer grows
// with what comes.
func receive(to *sink, from io.Reader) {
	const most = 32 << 10
	buf := make([]byte, 512)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			return
		}
		if n == len(buf) && n < most {
			buf = make([]byte, 8*n)
		}
	}
}

// Write never fails, so that a writer that does cannot block the remote.
func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return len(p), nil
	}
	s.tail = append(s.tail, p[max(0, len(p)-keptTail):]...)
	if over := len(s.tail) - keptTail; over > keptTail {
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
	if s.to == nil {
		room := MaxOutput - len(s.head)
		s.truncated = s.truncated || len(p) > room
		s.head = append(s.head, p[:min(len(p), room)]...)
	} else if s.err == nil {
		begun := time.Now()
		_, s.err = s.to.Write(p)
		s.spent += time.Since(begun)
	}
	s.last = time.Now()
	return len(p), nil
}

// pace is how long nothing came, and how much time the writer took so far. It
// waits for a writer that is not done.
func (s *sink) pace() (quiet, spent time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.last), s.spent
}

// close makes the sink deaf; what it holds is final then.
func (s *sink) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}

// end is the end of the output as valid UTF-8: whole lines, as half a secret
// could not be told from other text.
func (s *sink) end() string {
	tail := s.tail
	if over := len(tail) - maxTail; over > 0 {
		_, tail, _ = bytes.Cut(tail[over-1:], []byte("\n"))
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(tail), "\uFFFD"))
}

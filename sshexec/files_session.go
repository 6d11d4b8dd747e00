package sshexec

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// sftpPacket is the content of one packet; OpenSSH takes 256 KiB in all.
const sftpPacket = 255 << 10

// sftpScript starts the server as whoever runs it. Not by the subsystem, which
// is the login user's and whose umask would let others open a new file.
const sftpScript = `umask 077
for server in /usr/lib/openssh/sftp-server /usr/libexec/openssh/sftp-server /usr/lib/ssh/sftp-server /usr/libexec/sftp-server; do
	if [ -x "$server" ]; then exec "$server"; fi
done
echo "there is no sftp-server; install openssh-sftp-server" >&2
exit 127`

type (
	sftpSession = sftp.Client
	sftpFile    = *sftp.File
)

// withSFTP calls fn with an SFTP session as user and returns its error, or
// that of ctx: then fn may still be at work for as long as the server is silent.
func (c *Client) withSFTP(ctx context.Context, user string, fn func(*sftpSession) error) error {
	s, err := c.session(ctx)
	if err != nil {
		return err
	}
	go s.discard()
	defer s.close()
	stderr := &sink{}
	stderrDone := make(chan struct{})
	go func() {
		_, _ = io.Copy(stderr, s.ch.Stderr())
		close(stderrDone)
	}()
	done := make(chan error, 1)
	go func() {
		login := s.conn.target.User
		line := loginLine("sftp", asUser(login, user, []string{"sh", "-c", sftpScript}))
		ok, err := s.ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{line}))
		if err == nil && !ok {
			err = errors.New("the server refused to run a command")
		}
		if err != nil {
			done <- &ConnectError{Addr: s.conn.target.Addr, Stage: StageSession, Err: err}
			return
		}
		client, err := sftp.NewClientPipe(s.ch, s.ch,
			sftp.MaxPacketUnchecked(sftpPacket),
			sftp.MaxConcurrentRequestsPerFile(maxWrites),
			sftp.UseConcurrentWrites(true))
		if err != nil {
			<-stderrDone
			done <- fmt.Errorf("start sftp as %s: %w: %s", user, err, stderr.end())
			return
		}
		err = fn(client)
		_ = client.Close()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	s.close() // ends what fn waits for, unless the server is silent
	select {
	case <-done:
	case <-time.After(time.Second):
	}
	return context.Cause(ctx)
}

// guard keeps the readers of a caller from being read once it is closed.
type guard struct {
	mu     sync.RWMutex
	closed bool
}

func (g *guard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *guard) reader(from io.Reader) io.Reader { return &guardedReader{g, from} }

type guardedReader struct {
	*guard
	from io.Reader
}

func (r *guardedReader) Read(p []byte) (int, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return 0, ErrClosed
	}
	return r.from.Read(p)
}

// guardedWriter keeps the writer of a caller from being written to once it is
// closed.
type guardedWriter struct {
	guard
	to io.Writer
}

func (w *guardedWriter) Write(p []byte) (int, error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return 0, ErrClosed
	}
	return w.to.Write(p)
}

// digest is a SHA-256, or nothing where none is wanted.
type digest struct{ hash hash.Hash }

func newDigest(wanted bool) digest {
	if !wanted {
		return digest{}
	}
	return digest{sha256.New()}
}

func (d digest) Write(p []byte) (int, error) {
	if d.hash == nil {
		return len(p), nil
	}
	return d.hash.Write(p)
}

func (d digest) hex() string { return hex.EncodeToString(d.hash.Sum(nil)) }

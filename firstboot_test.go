package forge_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// A machine comes no further than one stage of its first boot, for as long as it is
// waited for: the error says which. Nobody is asked so often that sshd, which
// counts those who hang up before they logged in, would shut forge out.
func TestStagesOfTheFirstBoot(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		serve func(conn net.Conn, key ssh.Signer) // nil where nobody listens
		stage string
		text  string
		gap   time.Duration // between two tries, at least
	}{
		"TCP": {
			stage: "ssh: tcp", text: "connection refused", gap: 400 * time.Millisecond,
		},
		"handshake, silent": {
			serve: func(conn net.Conn, _ ssh.Signer) { _, _ = io.Copy(io.Discard, conn) },
			stage: "ssh: handshake", text: "handshake", gap: 4 * time.Second,
		},
		"handshake, shut out": {
			serve: func(net.Conn, ssh.Signer) {},
			stage: "ssh: handshake", text: "handshake", gap: 4 * time.Second,
		},
		"authentication": {
			serve: func(conn net.Conn, key ssh.Signer) { answers(conn, key, false, 0) },
			stage: "ssh: authentication", text: "authenticate", gap: 4 * time.Second,
		},
		"cloud-init": {
			serve: func(conn net.Conn, key ssh.Signer) { answers(conn, key, true, stack.FirstBootRuns) },
			stage: "cloud-init", text: "cloud-init has not ended",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
				var tasks sync.WaitGroup
				var tries []time.Time
				key := otherHostKey(t)
				w := newWorld(t, store, q, providertest.FakeConfig{Dial: func(context.Context, provider.Spec) (net.Conn, error) {
					tries = append(tries, time.Now())
					if test.serve == nil {
						return nil, errors.New("connection refused")
					}
					ours, end := net.Pipe()
					theirs := &eager{Conn: end, said: make(chan []byte, 64), gone: make(chan struct{})}
					tasks.Go(theirs.write)
					tasks.Go(func() {
						defer theirs.end()
						test.serve(theirs, key)
					})
					return ours, nil
				}})
				stop := w.start()
				began := time.Now()
				_, a := w.create()
				failed, err := w.Actions.Wait(t.Context(), a.ID)
				require.ErrorIs(t, err, forge.ErrFailed)
				require.InDelta(t, 30*time.Minute, time.Since(began), float64(10*time.Second))
				require.Equal(t, forge.ReasonTimeout, failed.Failure.Reason)
				require.Equal(t, test.stage, failed.Failure.Stage)
				require.Contains(t, failed.Failure.Message, "not done within 30m0s; it came as far as: "+test.stage)
				require.Contains(t, failed.Failure.Message, test.text)
				for i := 1; i < len(tries); i++ {
					require.GreaterOrEqual(t, tries[i].Sub(tries[i-1]), test.gap)
				}
				if test.stage == "cloud-init" {
					require.Less(t, len(tries), 4, "it is asked on one connection")
				}
				stop()
				require.NoError(t, w.Close())
				tasks.Wait()
			})
		})
	}
}

// eager is a pipe's end that does not wait for what it says to be heard: in SSH both
// sides begin to speak.
type eager struct {
	net.Conn
	said chan []byte
	gone chan struct{}
}

func (e *eager) Write(p []byte) (int, error) {
	select {
	case e.said <- slices.Clone(p):
		return len(p), nil
	case <-e.gone:
		return 0, net.ErrClosed
	}
}

func (e *eager) write() {
	for {
		select {
		case p := <-e.said:
			_, _ = e.Conn.Write(p)
		case <-e.gone:
			return
		}
	}
}

func (e *eager) end() {
	close(e.gone)
	_ = e.Close()
}

// Another program holds the lock of apt for longer than there is time.
func TestDeadlineWhileAptIsLocked(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	n.timeouts = map[forge.Kind]time.Duration{forge.KindInstallStack: 3 * time.Second}
	n.stack = func(ctx context.Context, run *sshtest.Run) int {
		_, _ = io.WriteString(run.Log, "step 3 of 14: updates\nWaiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend.\n")
		<-ctx.Done()
		return 1
	}
	w := n.join(n.store, queuememory.New(queuememory.Config{}))
	t.Cleanup(w.start())
	_, a := w.create()
	failed, err := w.Actions.Wait(t.Context(), a.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	require.Equal(t, forge.ReasonTimeout, failed.Failure.Reason)
	require.Equal(t, "stack: updates", failed.Failure.Stage)
	require.Contains(t, failed.Failure.Message, "it came as far as: stack: updates")
}

// A look at the first boot is the first that a machine is asked, and what is
// remarkable about it is in the log.
func TestFirstBootThatWentWrongIsSaid(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	n.command = func(e *sshtest.Exec, do func() int) int {
		if e.Script == stack.FirstBoot().Script {
			_, _ = io.WriteString(e.Stdout, "cloud-init ended, and its state is \"error\": going on\n")
		}
		return do()
	}
	t.Cleanup(n.start())
	srv, a := n.create()
	_, err := n.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	require.Contains(t, n.said(srv), "its state is \"error\"")
}

// answers is an SSH server on one connection, where every command exits with a
// status.
func answers(conn net.Conn, key ssh.Signer, letsIn bool, status uint32) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
		if !letsIn {
			return nil, errors.New("not yet")
		}
		return nil, nil
	}}
	config.AddHostKey(key)
	_, channels, requests, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return
	}
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() {
		for request := range requests {
			_ = request.Reply(false, nil)
		}
	})
	for channel := range channels {
		session, requests, err := channel.Accept()
		if err != nil {
			return
		}
		tasks.Go(func() {
			for request := range requests {
				_ = request.Reply(true, nil)
				_, _ = session.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{status}))
				_ = session.Close()
			}
		})
	}
}

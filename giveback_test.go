package forge_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// unanswered is a world where no machine of one's own answers.
func unanswered(t *testing.T, store forge.Store, q queue.Queue) *world {
	w := newWorld(t, store, q, providertest.FakeConfig{})
	w.machines = static.New(static.Config{Dial: func(context.Context, string, int) (net.Conn, error) {
		return nil, errors.New("no route to host")
	}})
	return w.join(store, q)
}

// A machine of one's own that does not answer is not forgotten, but by force,
// which says what is left there.
func TestDeleteOfAMachineThatDoesNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := unanswered(t, store, q).installs()
		defer w.start()()
		srv, a := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)

		a, err = w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		a, err = w.Actions.Wait(t.Context(), a.ID)
		require.ErrorContains(t, err, "no route to host")
		require.Equal(t, forge.ReasonUnreachable, a.Failure.Reason)
		require.Equal(t, 3, a.Attempt)
		require.Equal(t, forge.ServerError, w.read(srv.ID).Status)

		a, err = w.Servers.Delete(t.Context(), srv.ID, &forge.DeleteOpts{Force: true})
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
		var said []string
		for line, err := range w.Actions.Follow(t.Context(), a.ID, 0) {
			require.NoError(t, err)
			said = append(said, line.Text)
		}
		require.Contains(t, strings.Join(said, "\n"), "/etc/ssh/sshd_config.d/00-forge.conf")
	})
}

// By force, one fault does not leave everything on the machine.
func TestForcedDeleteOfAMachineThatIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	m := newOwned(t, nil)
	m.away.Store(1)
	defer m.start()()
	a, err := m.Servers.Delete(t.Context(), m.server.ID, &forge.DeleteOpts{Force: true})
	require.NoError(t, err)
	a, err = m.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, 2, a.Attempt)
	require.NotContains(t, strings.Join(m.texts(a.ID), "\n"), "forgotten")
	require.True(t, m.ranScript("readonly mode=force"))
}

// A machine that goes away after the last script is asked again, also by another
// deletion: that it does not take forge's key is the end.
func TestDeleteOfAMachineThatIsAwayAfterTheLogin(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"by the same": false, "by another": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newOwned(t, func(w *world) {
				if again {
					w.timeouts = map[forge.Kind]time.Duration{forge.KindDeleteServer: 2 * time.Second}
				}
			})
			m.onLogin = func() {
				m.refuses.Store(true)
				m.away.Store(2)
				if again {
					m.away.Store(1 << 30)
				}
				m.ssh.CloseConns()
			}
			defer m.start()()
			deleted := func() (*forge.Action, error) {
				a, err := m.Servers.Delete(t.Context(), m.server.ID, nil)
				require.NoError(t, err)
				return m.Actions.Wait(t.Context(), a.ID)
			}
			a, err := deleted()
			if again {
				require.Error(t, err)
				m.away.Store(0)
				a, err = deleted()
			}
			require.NoError(t, err)
			require.Equal(t, 1, a.Attempt)
			require.Contains(t, strings.Join(m.texts(a.ID), "\n"), "does not take forge's key any more")
		})
	}
}

// What runs on a machine that stays is stopped before the machine is given back,
// also what a worker left that died.
func TestDeleteStopsWhatRunsOnAMachineThatStays(t *testing.T) {
	t.Parallel()
	m := newOwned(t, nil)
	runs, stopped := make(chan struct{}), make(chan struct{})
	m.run = func(ctx context.Context) int {
		close(runs)
		<-ctx.Done()
		close(stopped)
		return 143
	}
	stop := m.start()
	a, err := m.Servers.Exec(t.Context(), m.server.ID, forge.ExecOpts{Command: "sleep 1d", User: "root", Timeout: time.Hour})
	require.NoError(t, err)
	<-runs
	stop()
	m.onLogin = func() {
		select {
		case <-stopped:
		default:
			t.Error("the command runs on")
		}
	}
	deletion, err := m.Servers.Delete(t.Context(), m.server.ID, nil)
	require.NoError(t, err)
	m.away.Store(1) // the first try to stop it
	defer m.start()()
	_, err = m.Actions.Wait(t.Context(), deletion.ID)
	require.NoError(t, err)
	require.Equal(t, forge.ActionCancelled, m.get(a.ID).Status)
	<-stopped
}

// Where nobody could say how a command ended, it is stopped as well; and by force
// a machine that never answers is forgotten none the less.
func TestDeleteStopsWhatWasLeft(t *testing.T) {
	t.Parallel()
	m := newOwned(t, nil)
	runs, stopped := make(chan struct{}), make(chan struct{})
	m.run = func(ctx context.Context) int {
		close(runs)
		<-ctx.Done()
		close(stopped)
		return 143
	}
	stop := m.start()
	a, err := m.Servers.Exec(t.Context(), m.server.ID, forge.ExecOpts{Command: "sleep 1d", User: "root"})
	require.NoError(t, err)
	<-runs
	stop()
	m.put(func(tx forge.Tx) error {
		a, err := tx.Actions().Get(a.ID)
		require.NoError(t, err)
		a.Status, a.Failure, a.Finished = forge.ActionFailed, &forge.Failure{Reason: forge.ReasonUnknown}, tx.Now()
		a.RunAt = time.Time{}
		return tx.Actions().Update(a)
	})
	deletion, err := m.Servers.Delete(t.Context(), m.server.ID, nil)
	require.NoError(t, err)
	defer m.start()()
	_, err = m.Actions.Wait(t.Context(), deletion.ID)
	require.NoError(t, err)
	<-stopped
}

// A run that cannot be stopped keeps no forced deletion from its end.
func TestForcedDeleteOfAMachineWithARunThatCannotBeStopped(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := unanswered(t, store, q).installs()
		defer w.start()()
		srv, a := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		now := time.Now()
		exec := &forge.Action{ID: newID(), Kind: forge.KindExec, Server: srv.ID, Epoch: 1, Attempt: 1,
			Subject: forge.Subject{Kind: forge.SubjectServer, ID: srv.ID}, Status: forge.ActionRunning,
			Started: now, RunAt: now.Add(time.Hour), Deadline: now.Add(24 * time.Hour), Timeout: 24 * time.Hour}
		exec.Cursor.Run = exec.ID + "-1"
		w.put(func(tx forge.Tx) error {
			l, err := tx.Locks().Get("server-" + srv.ID)
			require.NoError(t, err)
			l.Left = "run-1"
			return errors.Join(tx.Locks().Update(l), tx.Actions().Insert(exec))
		})
		a, err = w.Servers.Delete(t.Context(), srv.ID, &forge.DeleteOpts{Force: true})
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Less(t, time.Since(now), 3*time.Minute)
		require.Eventually(t, func() bool { return w.get(exec.ID).Status.Ended() }, 3*time.Minute, time.Second)
	})
}

// owned is a machine of one's own, with forge's stack on it, which an SSH server of
// the test plays.
type owned struct {
	*played
	away    atomic.Int64 // how many connections fail from now on
	refuses atomic.Bool  // whether forge's key is not taken any more
	onLogin func()       // when the login is given back
	run     func(context.Context) int
	mu      sync.Mutex
	ran     []string
}

func (m *owned) ranScript(with string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.ran, func(script string) bool { return strings.Contains(script, with) })
}

func newOwned(t *testing.T, edit func(*world)) *owned {
	m := &owned{played: &played{}}
	hostKey := otherHostKey(t)
	m.ssh = sshtest.New(t, &sshtest.Options{HostKey: hostKey, AnyKey: true,
		Handler: func(_ context.Context, e *sshtest.Exec) int {
			m.mu.Lock()
			m.ran = append(m.ran, e.Script)
			m.mu.Unlock()
			if strings.Contains(e.Script, "readonly mode=remove") && m.onLogin != nil {
				m.onLogin()
			}
			return 0
		},
		Run: func(ctx context.Context, _ *sshtest.Run) int { return m.run(ctx) },
	})
	refusing := sshtest.New(t, &sshtest.Options{HostKey: hostKey})
	w := newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{})
	w.machines = static.New(static.Config{
		Dial: func(ctx context.Context, _ string, _ int) (net.Conn, error) {
			addr := m.ssh.Addr
			switch {
			case m.away.Add(-1) >= 0:
				return nil, errors.New("no route to host")
			case m.refuses.Load():
				addr = refusing.Addr
			}
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		HostKeys: func(context.Context, string) ([]ssh.PublicKey, error) {
			return []ssh.PublicKey{hostKey.PublicKey()}, nil
		},
	})
	if edit != nil {
		edit(w)
	}
	first := w.join(w.store, queuememory.New(queuememory.Config{})).installs()
	stop := first.start()
	var a *forge.Action
	m.server, a = first.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
	_, err := first.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	stop()
	m.world = w.join(w.store, queuememory.New(queuememory.Config{}))
	return m
}

// Where nothing of forge's ever ran, there is nothing to be taken away.
func TestDeleteOfAMachineThatWasNeverReached(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := unanswered(t, store, q)
		srv, _ := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
		a, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		defer w.start()()
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
	})
}

// The answer to the last script may be lost; after it, the machine does not take
// forge's key any more.
func TestDeleteOfAMachineWhoseLastAnswerIsLost(t *testing.T) {
	t.Parallel()
	var first *sshtest.Server
	var addr atomic.Pointer[string]
	hostKey := otherHostKey(t)
	refusing := sshtest.New(t, &sshtest.Options{HostKey: hostKey})
	var ran atomic.Int32
	first = sshtest.New(t, &sshtest.Options{HostKey: hostKey, AnyKey: true, Handler: func(_ context.Context, e *sshtest.Exec) int {
		ran.Add(1)
		if strings.Contains(e.Script, "readonly mode=remove") {
			addr.Store(&refusing.Addr)
			first.CloseConns()
		}
		return 0
	}})
	addr.Store(&first.Addr)
	w := newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{})
	w.machines = static.New(static.Config{
		Dial: func(ctx context.Context, _ string, _ int) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", *addr.Load())
		},
		HostKeys: func(context.Context, string) ([]ssh.PublicKey, error) {
			return []ssh.PublicKey{hostKey.PublicKey()}, nil
		},
	})
	w = w.join(w.store, queuememory.New(queuememory.Config{})).installs()
	defer w.start()()
	srv, a := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
	_, err := w.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)

	a, err = w.Servers.Delete(t.Context(), srv.ID, nil)
	require.NoError(t, err)
	a, err = w.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, 1, a.Attempt)
	require.EqualValues(t, 3, ran.Load())
	require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
}

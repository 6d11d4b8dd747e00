package sshexec_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge/sshexec"
)

func testOneRun(t *testing.T, b *box) {
	clients := []*sshexec.Client{b.dial(t), b.dial(t)}
	for range 3 {
		spec := sshexec.RunSpec{ID: newID()}
		spec.Script = script("echo ran | tee -a /run/%s", spec.ID)
		var group errgroup.Group
		for i := range 12 {
			group.Go(func() error {
				var log bytes.Buffer
				status, err := clients[i%2].Attach(t.Context(), spec, 0, &log)
				if err == nil && (status.State != sshexec.RunExited || log.String() != "ran\n") {
					err = fmt.Errorf("got %+v, %q", status, &log)
				}
				return err
			})
		}
		require.NoError(t, group.Wait())
		attach(t, clients[0], spec) // late
		require.Equal(t, "ran\n", b.sh(t, "cat /run/%s", spec.ID))
	}
}

// A start that is killed on its way is taken up by the next.
func testKilledStart(t *testing.T, b *box) {
	c := b.dial(t)
	begun := time.Now()
	attach(t, c, sshexec.RunSpec{ID: newID(), Script: []byte("true")})
	usual := time.Since(begun)
	for round := range 12 {
		spec := sshexec.RunSpec{ID: newID()}
		spec.Script = script("echo ran | tee -a /run/%s; sleep 0.3", spec.ID)
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			_, _ = c.Attach(t.Context(), spec, 0, io.Discard)
		}()
		timer := time.NewTimer(usual * time.Duration(round) / 12)
		<-timer.C
		b.sh(t, "grep -lzxsF -e %[1]s -e forge-run-%[1]s.service /proc/[0-9]*/cmdline | cut -d/ -f3 | xargs -r kill -KILL || :", spec.ID)
		status, log := attach(t, c, spec)
		require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, LogSize: 4}, status)
		require.Equal(t, "ran\n", log)
		require.Equal(t, "ran\n", b.sh(t, "cat /run/%s", spec.ID))
		<-killed
		require.NoError(t, c.Clean(t.Context(), spec.ID)) // of what the killed start received
	}
}

// testReload has every unit read again in the middle of the run, as the
// installation of a service does.
func testReload(t *testing.T, b *box) {
	if !b.systemd {
		return // nothing to reload
	}
	status, log := attach(t, b.dial(t), sshexec.RunSpec{ID: newID(), Script: []byte("systemctl daemon-reload; echo reloaded; exit 3")})
	require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, ExitCode: 3, LogSize: int64(len(log))}, status)
	require.Equal(t, "reloaded\n", log)
}

func testKilled(t *testing.T, b *box) {
	spec := sshexec.RunSpec{ID: newID(), Script: []byte("sleep 1000 & echo $$; wait")}
	run := b.follow(t, spec)
	b.sh(t, "kill -KILL %s", strings.TrimSpace(run.log.String()))
	status, log := run.wait(t)
	require.Equal(t, sshexec.RunStatus{State: sshexec.RunSignaled, Signal: "KILL", LogSize: int64(len(log))}, status)
}

func testInterrupted(t *testing.T, b *box) {
	c := b.dial(t)
	spec := sshexec.RunSpec{ID: newID(), Script: []byte("echo ran; sleep 1000"), Files: map[string][]byte{"key": nil}}
	run := b.follow(t, spec)
	// Nobody sees its end and systemd forgets it, as when the machine dies.
	b.sh(t, `cd /var/lib/forge/runs/%[1]s
		echo 'system qw(systemctl reset-failed forge-run-%[1]s)' >end
		if [[ -e supervisor ]]; then kill -KILL $(<supervisor) -$(cut -d ' ' -f 1 pgid); else systemctl kill --signal=KILL forge-run-%[1]s; fi`, spec.ID)
	status, _ := run.wait(t)
	want := sshexec.RunStatus{State: sshexec.RunInterrupted, LogSize: 4}
	require.Equal(t, want, status)
	status, log := attach(t, c, spec)
	require.Equal(t, want, status, "it never runs again")
	require.Equal(t, "ran\n", log)
	status, err := c.Stop(t.Context(), spec.ID)
	require.NoError(t, err)
	require.Equal(t, want, status)
	require.Equal(t, "claim\nlog\n", b.sh(t, "cd /var/lib/forge/runs/%s; rm -f supervisor pgid signaled; ls", spec.ID))
}

func testLostConnection(t *testing.T, b *box) {
	spec := sshexec.RunSpec{ID: newID(), User: "site", Script: []byte("for ((i = 0; i < 30000; i++)); do echo line $i; done")}
	var want strings.Builder
	for i := range 30000 {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	var log bytes.Buffer
	cuts := 0
	for {
		conns := make(chan net.Conn, 1)
		target := b.target
		target.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			conns <- conn
			return conn, err
		}
		c, err := sshexec.Dial(t.Context(), target)
		require.NoError(t, err)
		conn := <-conns
		budget := 20_000
		status, err := c.Attach(t.Context(), spec, int64(log.Len()), writerFunc(func(p []byte) (int, error) {
			if budget -= len(p); budget < 0 && cuts < 5 {
				_ = conn.Close()
			}
			return log.Write(p)
		}))
		_ = c.Close()
		if err == nil {
			require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, LogSize: int64(log.Len())}, status)
			break
		}
		require.ErrorIs(t, err, sshexec.ErrUnknown)
		cuts++
	}
	require.Positive(t, cuts)
	require.True(t, want.String() == log.String(), "a line is missing, doubled or out of order")
}

// A follower does not look at the log every so often, and keeps no other process.
func testWoken(t *testing.T, b *box) {
	spec, release := b.held(t)
	run := b.follow(t, spec)
	looks := b.sh(t, `for f in $(grep -lzxF %s /proc/[0-9]*/cmdline); do
		pid=${f//[!0-9]/}
		! grep -qz ^perl /proc/$pid/cmdline || { readlink /proc/$pid/fd/* || :; echo "children: $(</proc/$pid/task/$pid/children)"; }
	done`, spec.ID)
	require.Contains(t, looks, "signalfd")
	require.Contains(t, looks, "children: \n")
	release()
	run.wait(t)
}

func testDetach(t *testing.T, b *box) {
	c := b.dial(t)
	spec, release := b.held(t)
	ctx, cancel := context.WithCancel(t.Context())
	var left time.Time
	_, err := c.Attach(ctx, spec, 0, writerFunc(func(p []byte) (int, error) {
		left = time.Now()
		cancel()
		return len(p), nil
	}))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(left), time.Second)
	b.followerGone(t, spec.ID)
	status, err := c.Status(t.Context(), spec.ID)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunRunning, status.State)
	release()
	var log strings.Builder
	status, err = c.Follow(t.Context(), spec.ID, 2, &log)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunExited, status.State)
	require.Equal(t, "ld\n", log.String())
}

// followerGone waits until no process on the server follows the run.
func (b *box) followerGone(t *testing.T, id string) {
	t.Helper()
	b.sh(t, `for p in $(grep -lzxsF -- %s /proc/[0-9]*/cmdline | cut -d/ -f3); do timeout 60 tail --pid=$p -f /dev/null; done`, id)
}

// A connection that is cut without a word is not seen by sshd.
func testSilentClient(t *testing.T, b *box) {
	target := b.target
	cut := make(chan struct{})
	once := sync.OnceFunc(func() { close(cut) })
	target.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &mutedConn{Conn: conn, cut: cut}, err
	}
	c, err := sshexec.Dial(t.Context(), target)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	id := newID()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Attach(t.Context(), sshexec.RunSpec{ID: id, Script: []byte("echo on; sleep 1000")}, 0, writerFunc(func(p []byte) (int, error) {
			once()
			return len(p), nil
		}))
		ended <- err
	}()
	<-cut
	b.followerGone(t, id)
	require.ErrorIs(t, <-ended, sshexec.ErrUnknown)
	status, err := b.dial(t).Stop(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, signaled("TERM").State, status.State)
}

// mutedConn drops what is written once it is cut.
type mutedConn struct {
	net.Conn
	cut chan struct{}
}

func (c *mutedConn) Write(p []byte) (int, error) {
	select {
	case <-c.cut:
		return len(p), nil
	default:
		return c.Conn.Write(p)
	}
}

func testStopDeaf(t *testing.T, b *box) {
	spec := sshexec.RunSpec{ID: newID(), User: "site", Script: []byte("trap '' TERM; sleep 1000 & echo $$ $!; wait; wait")}
	run := b.follow(t, spec)
	begun := time.Now()
	status, err := b.dial(t).Urgent().Stop(t.Context(), spec.ID)
	require.NoError(t, err)
	require.Less(t, time.Since(begun), 5*time.Second)
	require.Equal(t, "KILL", status.Signal)
	got, log := run.wait(t)
	require.Equal(t, status, got)
	require.Equal(t, "gone\n", b.sh(t, "for p in %s; do [[ ! -e /proc/$p/exe ]]; done; echo gone", strings.TrimSpace(log)))
}

func testStopHonest(t *testing.T, b *box) {
	c := b.dial(t)
	spec, _ := b.held(t)
	spec.Script = append([]byte("trap 'echo done; exit 0' TERM; "), spec.Script...)
	run := b.follow(t, spec)
	status, err := c.Stop(t.Context(), spec.ID)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, LogSize: 10}, status)
	_, log := run.wait(t)
	require.Equal(t, "held\ndone\n", log)

	spec = sshexec.RunSpec{ID: newID(), Script: []byte("exit 5")}
	attach(t, c, spec)
	status, err = c.Stop(t.Context(), spec.ID)
	require.NoError(t, err)
	require.Equal(t, exited(5), status, "it had ended before")
}

func testBar(t *testing.T, b *box) {
	c := b.dial(t)
	barred := sshexec.RunStatus{State: sshexec.RunBarred}
	spec := sshexec.RunSpec{ID: newID(), Script: []byte("echo ran")}
	for range 2 {
		status, err := c.Stop(t.Context(), spec.ID)
		require.NoError(t, err)
		require.Equal(t, barred, status)
	}
	status, log := attach(t, c, spec)
	require.Equal(t, barred, status)
	require.Empty(t, log)
	require.NoError(t, c.Clean(t.Context(), spec.ID))
	status, _ = attach(t, c, spec)
	require.Equal(t, barred, status)
}

func testStopRace(t *testing.T, b *box) {
	c := b.dial(t)
	outcomes := map[sshexec.RunState]int{}
	begun := time.Now()
	attach(t, c, sshexec.RunSpec{ID: newID(), Script: []byte("true")})
	usual := time.Since(begun)
	for round := range 20 {
		spec := sshexec.RunSpec{ID: newID()}
		spec.Script = script("echo ran >/run/%s; sleep 1000", spec.ID)
		var wait sync.WaitGroup
		var followed sshexec.RunStatus
		var followErr error
		wait.Go(func() { followed, followErr = c.Attach(t.Context(), spec, 0, io.Discard) })
		timer := time.NewTimer(usual * time.Duration(round) / 20) // meets the start at another place each time
		<-timer.C
		status, err := c.Stop(t.Context(), spec.ID)
		require.NoError(t, err)
		wait.Wait()
		require.NoError(t, followErr)
		require.Equal(t, status, followed)
		outcomes[status.State]++
		switch status.State {
		case sshexec.RunBarred:
			require.Equal(t, "none\n", b.sh(t, "ls /run/%s 2>/dev/null || echo none", spec.ID), "it ran, though it was barred")
		case sshexec.RunSignaled, sshexec.RunExited:
		default:
			t.Errorf("got %+v", status)
		}
	}
	t.Log(outcomes)
}

// The login user need not be root.
func testSudo(t *testing.T, b *box) {
	b.sh(t, `useradd --create-home admin
		echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin
		install -d -m 700 -o admin -g admin /home/admin/.ssh
		install -m 600 -o admin -g admin /root/.ssh/authorized_keys /home/admin/.ssh/`)
	target := b.target
	target.User = "admin"
	c, err := sshexec.Dial(t.Context(), target)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	for _, user := range []string{"root", "site", "admin"} {
		status, log := attach(t, c, sshexec.RunSpec{ID: newID(), User: user, Script: []byte("id -un; exit 3"), Env: map[string]string{"A": "b"}})
		require.Equal(t, 3, status.ExitCode)
		require.Equal(t, user+"\n", log)
	}
	id := newID()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.Attach(ctx, sshexec.RunSpec{ID: id, Script: []byte("echo on; sleep 1000")}, 0, writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}))
	require.ErrorIs(t, err, context.Canceled)
	b.followerGone(t, id)
	status, err := c.Stop(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "TERM", status.Signal)
}

package sshexec_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// gate is a server whose commands run until they are let go.
type gate struct {
	*sshtest.Server
	begun chan struct{} // a value for each command that began
	open  chan struct{} // a value or its end lets a command end
}

func newGate(t testing.TB) *gate {
	g := &gate{begun: make(chan struct{}, 100), open: make(chan struct{})}
	g.Server = sshtest.New(t, &sshtest.Options{Handler: func(ctx context.Context, _ *sshtest.Exec) int {
		g.begun <- struct{}{}
		select {
		case <-g.open:
		case <-ctx.Done():
		}
		return 0
	}})
	return g
}

func (g *gate) client(t testing.TB, cfg sshexec.PoolConfig) (*sshexec.Pool, *sshexec.Client) {
	t.Helper()
	pool := sshexec.NewPool(cfg)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return pool, pool.Client("one", g.target)
}

func (g *gate) target(context.Context) (sshexec.Target, error) { return g.Target(), nil }

// run starts n commands and returns their errors' channel when all have begun.
func (g *gate) run(t *testing.T, c *sshexec.Client, n int) <-chan error {
	t.Helper()
	done := make(chan error, n)
	for range n {
		go func() {
			_, err := c.Run(t.Context(), sshexec.Command{})
			done <- err
		}()
	}
	for range n {
		select {
		case <-g.begun:
		case err := <-done:
			require.FailNow(t, "a command did not begin", "%v", err)
		}
	}
	return done
}

func TestPoolSharesConnections(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	_, c := g.client(t, sshexec.PoolConfig{})
	first := g.run(t, c, 8)
	require.Equal(t, 1, g.Accepted(), "dials of one server are one")
	second := g.run(t, c, 8)
	require.Equal(t, 2, g.Accepted())
	require.Equal(t, 16, g.Sessions())

	// All is busy: the next waits, the urgent one does not.
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, sshexec.Command{})
		waiting <- err
	}()
	urgent := g.run(t, c.Urgent(), 4)
	require.Equal(t, 2, g.Accepted(), "the reserve is used first")
	more := g.run(t, c.Urgent(), 1)
	require.Equal(t, 3, g.Accepted())
	select {
	case err := <-waiting:
		require.Fail(t, "it did not wait", "%v", err)
	default:
	}
	cancel()
	require.ErrorIs(t, <-waiting, context.Canceled)
	require.Empty(t, g.begun)

	close(g.open)
	for _, done := range []<-chan error{first, second, urgent, more} {
		for range cap(done) {
			require.NoError(t, <-done)
		}
	}
	g.run(t, c, 1)
	require.Equal(t, 3, g.Accepted())
}

// Sessions that wait are served in the end, and there are never too many.
func TestPoolWaits(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int64
	server := sshtest.New(t, &sshtest.Options{Handler: func(context.Context, *sshtest.Exec) int {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		runtime.Gosched()
		return 0
	}})
	pool := sshexec.NewPool(sshexec.PoolConfig{MaxConns: 2, MaxSessions: 3})
	defer pool.Close()
	var group errgroup.Group
	for range 200 {
		group.Go(func() error {
			_, err := pool.Client("one", func(context.Context) (sshexec.Target, error) {
				return server.Target(), nil
			}).Run(t.Context(), sshexec.Command{})
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.LessOrEqual(t, most.Load(), int64(6))
	require.LessOrEqual(t, server.Accepted(), 2)
}

func TestPoolDialsAnew(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	close(g.open)
	pool, c := g.client(t, sshexec.PoolConfig{})

	boom := errors.New("boom")
	var calls atomic.Int64
	failing := pool.Client("two", func(context.Context) (sshexec.Target, error) {
		if calls.Add(1) == 1 {
			return sshexec.Target{}, boom
		}
		return g.Target(), nil
	})
	_, err := failing.Run(t.Context(), sshexec.Command{})
	require.ErrorIs(t, err, boom)
	requireStage(t, err, sshexec.StageTCP)
	_, err = failing.Run(t.Context(), sshexec.Command{})
	require.NoError(t, err, "a failure is not kept")

	for range 5 { // a broken connection is replaced
		_, err = c.Run(t.Context(), sshexec.Command{})
		require.NoError(t, err)
		g.CloseConns()
	}
	require.GreaterOrEqual(t, g.Accepted(), 6)

	before := g.Accepted()
	_, err = c.Run(t.Context(), sshexec.Command{})
	require.NoError(t, err)
	pool.Forget("one")
	_, err = c.Run(t.Context(), sshexec.Command{})
	require.NoError(t, err)
	require.Equal(t, before+2, g.Accepted())

	require.NoError(t, pool.Close())
	_, err = c.Run(t.Context(), sshexec.Command{})
	require.ErrorIs(t, err, sshexec.ErrClosed)
}

// Forgetting a server ends what runs on it and what waits for it.
func TestPoolForgetsTheBusy(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	pool, c := g.client(t, sshexec.PoolConfig{MaxConns: 1, MaxSessions: 1})
	running := g.run(t, c, 1)
	pool.Forget("one")
	require.ErrorIs(t, <-running, sshexec.ErrUnknown)
	close(g.open)
	_, err := c.Run(t.Context(), sshexec.Command{})
	require.NoError(t, err)
}

// A server that is renewed takes nothing new over the connections that there are,
// which close when what runs on them has ended.
func TestPoolRenews(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	pool, c := g.client(t, sshexec.PoolConfig{IdleTimeout: -1})
	running := g.run(t, c, 2)
	pool.Renew("one")
	pool.Renew("another")
	require.Equal(t, 1, g.Accepted())
	more := g.run(t, c, 2)
	require.Equal(t, 2, g.Accepted())
	require.Equal(t, sshexec.PoolStats{Conns: 2, Sessions: 4}, pool.Stats())
	close(g.open)
	for range 2 {
		require.NoError(t, <-running)
		require.NoError(t, <-more)
	}
	require.Eventually(t, func() bool { return pool.Stats().Conns == 1 }, 10*time.Second, time.Millisecond)
	pool.Renew("one") // nothing runs
	require.Eventually(t, func() bool { return pool.Stats().Conns == 0 }, 10*time.Second, time.Millisecond)
	g.run(t, c, 1)
	require.Equal(t, 3, g.Accepted())
}

// A caller that gives up does not take the connection from the others.
func TestPoolDialOutlivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	close(g.open)
	pool := sshexec.NewPool(sshexec.PoolConfig{})
	defer pool.Close()
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	c := pool.Client("one", func(ctx context.Context) (sshexec.Target, error) {
		asked <- struct{}{}
		select {
		case <-answer:
			return g.Target(), nil
		case <-ctx.Done():
			return sshexec.Target{}, ctx.Err()
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, sshexec.Command{})
		first <- err
	}()
	<-asked
	go func() {
		_, err := c.Run(t.Context(), sshexec.Command{})
		second <- err
	}()
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	close(answer)
	require.NoError(t, <-second)
}

func TestPoolKeepalive(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	_, c := g.client(t, sshexec.PoolConfig{Keepalive: 300 * time.Millisecond})
	running := g.run(t, c, 1)
	select {
	case err := <-running:
		require.NoError(t, err, "an answer that says no is a sign of life")
	case <-time.After(time.Second):
	}
	g.Set(sshtest.Faults{IgnoreKeepalive: true})
	require.ErrorIs(t, <-running, sshexec.ErrUnknown)
}

// A hundred servers that were used and are idle cost no goroutines.
func TestPoolIdleServersCostNothing(t *testing.T) { // counts goroutines, so not in parallel
	server := sshtest.New(t, &sshtest.Options{Handler: func(context.Context, *sshtest.Exec) int { return 0 }})
	before := runtime.NumGoroutine()
	pool := sshexec.NewPool(sshexec.PoolConfig{IdleTimeout: 100 * time.Millisecond})
	defer pool.Close()
	var group errgroup.Group
	group.SetLimit(20)
	for i := range 100 {
		group.Go(func() error {
			c := pool.Client(fmt.Sprint(i), func(context.Context) (sshexec.Target, error) { return server.Target(), nil })
			_, err := c.Run(t.Context(), sshexec.Command{})
			return err
		})
	}
	require.NoError(t, group.Wait())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+5 }, 10*time.Second, 10*time.Millisecond)
}

// sshd refuses the eleventh session of a connection, which never happens.
func TestPoolOnOpenSSH(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	pool := sshexec.NewPool(sshexec.PoolConfig{MaxConns: 1})
	defer pool.Close()
	c := pool.Client("one", func(context.Context) (sshexec.Target, error) { return server.target(), nil })
	var group errgroup.Group
	for i := range 100 {
		group.Go(func() error {
			client := c
			if i%10 == 0 {
				client = c.Urgent()
			}
			_, err := client.Run(t.Context(), sshexec.Command{Script: "true"})
			return err
		})
	}
	require.NoError(t, group.Wait())
}

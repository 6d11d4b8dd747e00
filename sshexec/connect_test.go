package sshexec_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// All who connect, and the command that comes after, share one connection.
func TestConnect(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	pool, c := g.client(t, sshexec.PoolConfig{MaxConns: 1, MaxSessions: 1})
	done := make(chan error, 20)
	for range cap(done) {
		go func() { done <- c.Connect(t.Context()) }()
	}
	for range cap(done) {
		require.NoError(t, <-done)
	}
	require.Equal(t, sshexec.PoolStats{Conns: 1}, pool.Stats(), "it takes no session")
	running := g.run(t, c, 1)
	require.NoError(t, c.Connect(t.Context()), "it does not wait for a session")
	require.Equal(t, 1, g.Accepted())
	close(g.open)
	require.NoError(t, <-running)

	pool.Forget("one")
	require.NoError(t, c.Connect(t.Context()))
	require.Equal(t, 2, g.Accepted())
	require.NoError(t, pool.Close())
	require.ErrorIs(t, c.Connect(t.Context()), sshexec.ErrClosed)
}

// Who gives up does not take the connection from the others, be it awaited for
// itself or for a command.
func TestConnectIsJoined(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	close(g.open)
	pool := sshexec.NewPool(sshexec.PoolConfig{})
	defer pool.Close()
	asked, answer := make(chan struct{}, 1), make(chan struct{})
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
	first, second, third := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { first <- c.Connect(ctx) }()
	<-asked
	go func() { second <- c.Connect(t.Context()) }()
	go func() {
		_, err := c.Run(t.Context(), sshexec.Command{})
		third <- err
	}()
	cancel()
	err := <-first
	require.ErrorIs(t, err, context.Canceled)
	requireStage(t, err, sshexec.StageTCP)
	close(answer)
	require.NoError(t, <-second)
	require.NoError(t, <-third)
	require.Equal(t, 1, g.Accepted())
}

func TestConnectFails(t *testing.T) {
	t.Parallel()
	server := sshtest.New(t, nil)
	boom := errors.New("boom")
	pool := sshexec.NewPool(sshexec.PoolConfig{})
	defer pool.Close()
	target, targetErr := server.Target(), boom
	c := pool.Client("one", func(context.Context) (sshexec.Target, error) { return target, targetErr })
	err := c.Connect(t.Context())
	requireStage(t, err, sshexec.StageTCP)
	require.ErrorIs(t, err, boom)

	other, _ := newKey(t)
	target.HostKeys, targetErr = sshexec.Pinned(other.PublicKey()), nil
	var changed *sshexec.HostKeyError
	require.ErrorAs(t, c.Connect(t.Context()), &changed)

	target = server.Target()
	require.NoError(t, c.Connect(t.Context()), "a failure is not kept")

	dialled, err := sshexec.Dial(t.Context(), server.Target())
	require.NoError(t, err)
	require.NoError(t, dialled.Connect(t.Context()))
	require.NoError(t, dialled.Close())
	require.ErrorIs(t, dialled.Connect(t.Context()), sshexec.ErrClosed)
}

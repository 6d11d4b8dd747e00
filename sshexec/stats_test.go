package sshexec_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestPoolSaysWhatItDialsAndHolds(t *testing.T) {
	t.Parallel()
	g := newGate(t)
	dialled := make(chan error, 2)
	pool, c := g.client(t, sshexec.PoolConfig{Dialled: func(server string, took time.Duration, err error) {
		if server != "one" || took <= 0 {
			t.Errorf("dialled %q in %s", server, took)
		}
		dialled <- err
	}})
	require.Zero(t, pool.Stats())
	done := g.run(t, c, 3)
	require.NoError(t, <-dialled)
	require.Equal(t, sshexec.PoolStats{Conns: 1, Sessions: 3}, pool.Stats())
	close(g.open)
	for range 3 {
		require.NoError(t, <-done)
	}

	stranger := pool.Client("one", func(context.Context) (sshexec.Target, error) {
		target := g.Target()
		target.Signers = nil
		return target, nil
	})
	pool.Forget("one")
	_, err := stranger.Run(t.Context(), sshexec.Command{})
	var connect *sshexec.ConnectError
	require.ErrorAs(t, err, &connect)
	require.ErrorAs(t, <-dialled, &connect)
	require.Equal(t, sshexec.StageAuth, connect.Stage)
	require.Empty(t, dialled)
}

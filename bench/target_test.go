package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	require.Empty(t, target{}.verdict(3))
	require.Equal(t, "  at most 0.5", target{0.5, "slow"}.verdict(0.5))
	require.Equal(t, "  at most 0.5: missed\n    slow", target{0.5, "slow"}.verdict(0.51))
	require.Regexp(t, "missed\n +for no reason", target{most: 2}.verdict(3))
}

func TestTargetsHavePeers(t *testing.T) {
	t.Parallel()
	one := func(context.Context) (float64, error) { return 1, nil }
	r := row{name: "upload-256m", setup: func(context.Context, *lab) (*trial, error) {
		return &trial{ours: one, peers: []peer{{"floor", one}}}, nil
	}}
	_, err := r.measure(t.Context(), &lab{}, 1)
	require.ErrorContains(t, err, "no peer: map[scp:")
}

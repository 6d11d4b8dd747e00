package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentOfCalls(t *testing.T) {
	t.Parallel()
	for percent, want := range map[float64]float64{50: 50, 99: 99, 100: 100} {
		synctest.Test(t, func(t *testing.T) {
			next := 101 * time.Millisecond // each call is faster than the one before
			got, err := inTurn(100, percent, func() error {
				next -= time.Millisecond
				time.Sleep(next)
				return nil
			})
			require.NoError(t, err)
			require.InDelta(t, want, got, 0)
		})
	}
	broken := errors.New("broken")
	_, err := inTurn(2, 50, func() error { return broken })
	require.ErrorIs(t, err, broken)
}

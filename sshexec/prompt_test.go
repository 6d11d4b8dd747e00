package sshexec_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// What sshd says of itself after a login is acknowledged at once: otherwise it
// keeps back what comes next for 40 ms, each time.
func TestFirstCommandIsNotHeldBack(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux, which alone can be told when to acknowledge")
	}
	server := startSSHD(t)
	least := time.Hour
	for try := 0; try < 50 && least > 35*time.Millisecond; try++ {
		c, err := sshexec.Dial(t.Context(), server.target())
		require.NoError(t, err)
		began := time.Now()
		_, err = c.Run(t.Context(), sshexec.Command{Script: "true"})
		require.NoError(t, err)
		least = min(least, time.Since(began))
		require.NoError(t, c.Close())
	}
	require.LessOrEqual(t, least, 35*time.Millisecond)
}

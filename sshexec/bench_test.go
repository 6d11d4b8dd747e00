package sshexec_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// BenchmarkRun runs commands that do nothing on an open connection.
func BenchmarkRun(b *testing.B) {
	c := startSSHD(b).dial(b)
	fence := ownFence(b)
	for name, cmd := range map[string]sshexec.Command{
		"bash":            {Script: "true"},
		"perl":            {Script: "1", Perl: true},
		"bash of a user":  {Script: "true", User: "daemon"},
		"bash in a fence": {Script: "true", Fence: fence},
		"perl in a fence": {Script: "1", Perl: true, Fence: fence},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				_, err := c.Run(b.Context(), cmd)
				require.NoError(b, err)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}

// BenchmarkDial opens and closes connections.
func BenchmarkDial(b *testing.B) {
	server := startSSHD(b)
	b.ReportAllocs()
	for b.Loop() {
		c, err := sshexec.Dial(b.Context(), server.target())
		require.NoError(b, err)
		require.NoError(b, c.Close())
	}
}

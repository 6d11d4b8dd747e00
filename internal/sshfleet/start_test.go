package sshfleet_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
)

// BenchmarkStart is what a fleet costs: the time to start it, and the memory of
// its servers, where what they share counts once.
func BenchmarkStart(b *testing.B) {
	for _, hosts := range []int{50, 500} {
		b.Run(fmt.Sprint(hosts), func(b *testing.B) {
			var kib int
			for b.Loop() {
				f := fleettest.Start(b, hosts)
				b.StopTimer()
				kib = proportionalKiB(b, filepath.Base(filepath.Dir(f.KeyFile)))
				require.NoError(b, f.Close())
				b.StartTimer()
			}
			b.ReportMetric(float64(kib)/1024, "MiB")
		})
	}
}

func proportionalKiB(b *testing.B, name string) int {
	b.Helper()
	pids, err := exec.CommandContext(b.Context(), "ip", "netns", "pids", name).Output()
	require.NoError(b, err)
	sum := 0
	for pid := range strings.FieldsSeq(string(pids)) {
		rollup, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		require.NoError(b, err)
		_, pss, found := strings.Cut(string(rollup), "\nPss:")
		require.True(b, found)
		var kib int
		_, err = fmt.Sscan(pss, &kib)
		require.NoError(b, err)
		sum += kib
	}
	return sum
}

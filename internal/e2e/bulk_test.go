package e2e

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// maxGrowth is how much the process may grow, in bytes. Lines that repeat
// themselves compress to next to nothing.
const maxGrowth = 64 << 20

// What is measured here is the process, so these tests are not parallel.

func TestMillionLines(t *testing.T) {
	e, srv := theServer(t)
	const count = 1_000_000
	grown := watchMemory(t)
	began := time.Now()
	action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{
		User: "forge", Command: fmt.Sprintf("seq -f '%%079.0f' 1 %d", count),
	})
	require.NoError(t, err)
	seen := 0
	for line, err := range e.Actions.Follow(t.Context(), action.ID, 0) {
		require.NoError(t, err)
		require.EqualValues(t, seen, line.Number)
		seen++
		if line.Text != fmt.Sprintf("%079d", seen) {
			t.Fatalf("line %d is %q", seen, line.Text)
		}
	}
	took := time.Since(began)
	heap, resident := grown()
	e.finish(t, action, nil)
	require.Equal(t, count, seen)
	t.Logf("%d lines of 80 bytes stored and followed in %s; heap +%d MiB at its peak, resident +%d MiB",
		seen, took.Round(time.Millisecond), heap>>20, resident>>20)
	require.Less(t, heap, int64(maxGrowth))
	if !raceDetector() {
		require.Less(t, resident, int64(maxGrowth))
	}
	stored := int64(0)
	for _, err := range e.Actions.Log(t.Context(), action.ID, 0, 0) {
		require.NoError(t, err)
		stored++
	}
	require.EqualValues(t, count, stored)
}

func TestNoLines(t *testing.T) {
	e, srv := theServer(t)
	grown := watchMemory(t)
	action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{
		User: "forge", Command: `head -c 300000000 /dev/zero | tr '\0' x; printf '\nend\n'`,
	})
	e.finish(t, action, err)
	heap, resident := grown()
	lines := e.lines(t, action.ID, forge.LineOutput)
	require.Len(t, lines, 2)
	require.Regexp(t, `^x{1000}x*[^x]+$`, lines[0])
	require.Less(t, len(lines[0]), 65<<10)
	require.Equal(t, "end", lines[1])
	t.Logf("a line of 300 MB: heap +%d MiB at its peak, resident +%d MiB", heap>>20, resident>>20)
	require.Less(t, heap, int64(maxGrowth))
	if !raceDetector() {
		require.Less(t, resident, int64(maxGrowth))
	}
}

func TestGarbage(t *testing.T) {
	e, srv := theServer(t)
	const size = 20 * 1000 * 1000
	grown := watchMemory(t)
	action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{
		User: "forge", Command: fmt.Sprintf(`head -c %d /dev/urandom; printf '\nend\n'`, size),
	})
	e.finish(t, action, err)
	heap, resident := grown()
	last, stored := "", 0
	for line, err := range e.Actions.Log(t.Context(), action.ID, 0, 0) {
		require.NoError(t, err)
		if !utf8.ValidString(line.Text) || strings.ContainsRune(line.Text, 0) || len(line.Text) > 65<<10 {
			t.Fatalf("line %d is %q", line.Number, line.Text)
		}
		last = line.Text
		stored += len(line.Text)
	}
	require.Equal(t, "end", last)
	t.Logf("%d MB of garbage are %d MB of text: heap +%d MiB at its peak, resident +%d MiB",
		size/1_000_000, stored/1_000_000, heap>>20, resident>>20)
	// What is random is not compressed, and is still there.
	require.Less(t, heap, int64(maxGrowth+3*size))
}

// watchMemory measures by how much the heap in use and the resident memory of
// this process grow at most, until the function that it returns is called.
func watchMemory(t *testing.T) (grown func() (heap, resident int64)) {
	t.Helper()
	debug.FreeOSMemory()
	heapBefore, residentBefore := heapInUse(), status(t, "VmRSS")
	// The kernel's own high-water mark begins anew.
	require.NoError(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
	ctx, stop := context.WithCancel(t.Context())
	peak := heapBefore
	var sampler sync.WaitGroup
	sampler.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, heapInUse())
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(stop)
	return func() (int64, int64) {
		stop()
		sampler.Wait()
		return peak - heapBefore, status(t, "VmHWM") - residentBefore
	}
}

func heapInUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// status is a size in /proc/self/status, in bytes.
func status(t *testing.T, name string) (size int64) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(data), name+":")
	_, err = fmt.Sscan(rest, &size)
	require.NoError(t, err)
	return size << 10
}

// raceDetector reports whether the race detector is on, whose own memory is
// many times that of what it watches.
func raceDetector() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" && s.Value == "true" {
			return true
		}
	}
	return false
}

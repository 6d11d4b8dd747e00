package sshexec_test

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestDetachedDiskFull(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	c := b.dial(t)
	b.sh(t, "mkdir -p /var/lib/forge/runs; mount -t tmpfs -o size=1M,mode=711 runs /var/lib/forge/runs")
	for _, systemd := range []bool{true, false} {
		if !systemd {
			b.sh(t, "mv /run/systemd/system /run/systemd/hidden")
		}
		spec := sshexec.RunSpec{ID: newID(), Script: []byte("echo ran")}
		b.sh(t, "! head -c 2M /dev/zero >/var/lib/forge/runs/fill")
		var start *sshexec.StartError
		_, err := c.Attach(t.Context(), spec, 0, io.Discard)
		require.ErrorAs(t, err, &start)
		require.Contains(t, start.Reason, "No space left on device")
		require.Equal(t, "fill\n", b.sh(t, "ls -A /var/lib/forge/runs"), "half a run is left")
		b.sh(t, "rm /var/lib/forge/runs/fill")
		_, log := attach(t, c, spec)
		require.Equal(t, "ran\n", log)

		spec = sshexec.RunSpec{ID: newID(), Script: []byte("head -c 2M /dev/zero >/var/lib/forge/runs/fill || exit 3")}
		status, err := c.Attach(t.Context(), spec, 0, io.Discard)
		require.NoError(t, err)
		require.Equal(t, exited(3), status, "a run that fills the disk ends as any other")
		b.sh(t, "rm -r /var/lib/forge/runs/*")
	}
}

func TestDetachedReboot(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	status, _ := attach(t, b.dial(t), sshexec.RunSpec{ID: newID(), Script: []byte("systemctl daemon-reexec; exit 3")})
	require.Equal(t, 3, status.ExitCode, "systemd began anew in the middle, as for its own upgrade")

	for _, how := range []string{"systemctl reboot --force --force", "systemctl reboot"} {
		spec := sshexec.RunSpec{ID: newID(), Script: []byte("echo ran; sleep 1000"), Files: map[string][]byte{"key": nil}}
		run := b.follow(t, spec)
		boot := b.sh(t, "cat /proc/sys/kernel/random/boot_id")
		b.sh(t, "sync; systemd-run --quiet --on-active=1ms %s", how)
		<-run.done
		if run.err != nil { // else it saw the end before the connection was cut
			require.ErrorIs(t, run.err, sshexec.ErrUnknown)
		}
		b.awaitBoot(t, boot)
		status, log := attach(t, b.dial(t), spec)
		require.Equal(t, sshexec.RunStatus{State: sshexec.RunInterrupted, LogSize: 4}, status, how)
		require.Equal(t, "ran\n", log)
		require.Equal(t, "claim\nlog\n", b.sh(t, "ls /var/lib/forge/runs/%s", spec.ID), "its secrets are gone")
	}
}

func BenchmarkAttach(b *testing.B) {
	box := newBox(b)
	c := box.dial(b)
	b.Run("start to end", func(b *testing.B) {
		for b.Loop() {
			_, err := c.Attach(b.Context(), sshexec.RunSpec{ID: newID(), Script: []byte(":")}, 0, io.Discard)
			require.NoError(b, err)
		}
	})
	ended := sshexec.RunSpec{ID: newID(), Script: []byte(":")}
	b.Run("ended", func(b *testing.B) {
		for b.Loop() {
			_, err := c.Attach(b.Context(), ended, 0, io.Discard)
			require.NoError(b, err)
		}
	})
	b.Run("line by line", func(b *testing.B) { // how late a line comes, with one clock for both
		var late []time.Duration
		for b.Loop() {
			var line []byte
			_, err := c.Attach(b.Context(), sshexec.RunSpec{ID: newID(), Script: []byte(
				"for i in {1..50}; do echo $EPOCHREALTIME; sleep 0.03; done")}, 0, writerFunc(func(p []byte) (int, error) {
				if line = append(line, p...); bytes.HasSuffix(line, []byte("\n")) {
					printed, err := strconv.ParseFloat(string(bytes.TrimSpace(line)), 64)
					if err == nil { // two lines at once are not counted
						late = append(late, time.Since(time.UnixMicro(int64(printed*1e6))))
					}
					line = line[:0]
				}
				return len(p), nil
			}))
			require.NoError(b, err)
		}
		slices.Sort(late)
		b.ReportMetric(float64(late[len(late)/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(late[len(late)*99/100].Microseconds())/1000, "p99-ms")
	})
	const size = 80_000_000
	const text = `head -c 80000000 /dev/zero | tr '\0' x`
	b.Run("80 MB", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			var n count
			_, err := c.Attach(b.Context(), sshexec.RunSpec{ID: newID(), Script: []byte(text)}, 0, &n)
			require.NoError(b, err)
			require.EqualValues(b, size, n)
		}
	})
	b.Run("80 MB attached", func(b *testing.B) { // to compare with
		b.SetBytes(size)
		for b.Loop() {
			var n count
			_, err := c.Run(b.Context(), sshexec.Command{Script: text, Stdout: &n})
			require.NoError(b, err)
			require.EqualValues(b, size, n)
		}
	})
}

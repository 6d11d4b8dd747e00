package sshexec_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

func testBinaryOutput(t *testing.T, b *box) {
	data := make([]byte, 3<<20)
	seed := [32]byte{1}
	_, _ = rand.NewChaCha8(seed).Read(data)
	c := b.dial(t)
	_, log := attach(t, c, sshexec.RunSpec{
		ID:     newID(),
		Script: []byte(`cat "$FORGE_RUN_DIR/data"; printf '\0'; sleep 0.1; printf '\0\0'; sleep 0.1; printf '\1'; sleep 0.1; printf '\377'`),
		Files:  map[string][]byte{"data": data},
	})
	require.True(t, string(data)+"\x00\x00\x00\x01\xff" == log, "the log is not what was printed")
}

func testMaxLog(t *testing.T, b *box) {
	c := b.dial(t)
	spec := sshexec.RunSpec{ID: newID(), Script: []byte("seq 100000; sleep 0.2; seq 5; exit 7"), MaxLog: 1000}
	var log bytes.Buffer
	status, err := c.Attach(t.Context(), spec, 0, &log)
	require.NoError(t, err)
	require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, ExitCode: 7, LogSize: 588905}, status)
	require.Len(t, log.String(), 1000)
	_, err = c.Attach(t.Context(), spec, 400, &log)
	require.NoError(t, err)
	require.Equal(t, log.String()[400:1000], log.String()[1000:], "the limit counts from the beginning of the log")
}

func testTruncatedLog(t *testing.T, b *box) {
	c := b.dial(t)
	for _, truncate := range []string{
		": >/proc/self/fd/1; echo x",
		"truncate -s 1 /proc/self/fd/1; sleep 1000",
	} {
		spec, release := b.held(t)
		spec.Script = append(spec.Script, "; "+truncate...)
		run := b.follow(t, spec)
		release()
		<-run.done
		require.ErrorIs(t, run.err, sshexec.ErrShrunk)
		_, err := c.Stop(t.Context(), spec.ID)
		require.NoError(t, err)
		status, err := c.Attach(t.Context(), spec, 4000, io.Discard)
		require.ErrorIs(t, err, sshexec.ErrShrunk)
		require.True(t, status.Ended(), "the outcome is known none the less")
	}
	// A log that was blown up costs no more than the limit.
	var n count
	spec := sshexec.RunSpec{ID: newID(), Script: []byte("truncate -s 100G /proc/self/fd/1"), MaxLog: 1 << 20}
	status, err := c.Attach(t.Context(), spec, 0, &n)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, n)
	require.EqualValues(t, 100<<30, status.LogSize)
}

type count int64

func (c *count) Write(p []byte) (int, error) { *c += count(len(p)); return len(p), nil }

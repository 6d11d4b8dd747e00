package sshtest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

func TestRunsRunOnce(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	client := dial(t, sshtest.New(t, &sshtest.Options{Run: func(_ context.Context, run *sshtest.Run) int {
		ran.Add(1)
		_, _ = fmt.Fprintf(run.Log, "%s as %s in %s with %s and %s\n", run.Script, run.User, run.Dir, run.Env["A"], run.Files["f"])
		return 3
	}}))
	spec := sshexec.RunSpec{ID: "r-1", Script: []byte("work"), User: "ada", Dir: "/srv",
		Env: map[string]string{"A": "b"}, Files: map[string][]byte{"f": []byte("g")}}
	for range 2 {
		var log bytes.Buffer
		status, err := client.Attach(t.Context(), spec, 0, &log)
		require.NoError(t, err)
		require.Equal(t, sshexec.RunStatus{State: sshexec.RunExited, ExitCode: 3, LogSize: int64(log.Len())}, status)
		require.Equal(t, "work as ada in /srv with b and g\n", log.String())
	}
	require.EqualValues(t, 1, ran.Load())

	var rest bytes.Buffer
	_, err := client.Follow(t.Context(), "r-1", 30, &rest)
	require.NoError(t, err)
	require.Equal(t, "g\n", rest.String()[rest.Len()-2:])
	require.Len(t, rest.String(), len("work as ada in /srv with b and g\n")-30)
}

func TestRunsAreStopped(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	client := dial(t, sshtest.New(t, &sshtest.Options{Run: func(ctx context.Context, _ *sshtest.Run) int {
		close(begun)
		<-ctx.Done()
		return 1
	}}))
	ended := make(chan sshexec.RunStatus, 1)
	go func() {
		status, _ := client.Attach(t.Context(), sshexec.RunSpec{ID: "r-1", Script: []byte("work")}, 0, io.Discard)
		ended <- status
	}()
	<-begun
	status, err := client.Stop(t.Context(), "r-1")
	require.NoError(t, err)
	require.Equal(t, sshexec.RunSignaled, status.State)
	require.Equal(t, sshexec.RunSignaled, (<-ended).State)

	status, err = client.Stop(t.Context(), "r-2") // never started
	require.NoError(t, err)
	require.Equal(t, sshexec.RunBarred, status.State)
	status, err = client.Status(t.Context(), "r-3")
	require.NoError(t, err)
	require.Equal(t, sshexec.RunUnknown, status.State)
}

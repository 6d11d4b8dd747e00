package sshfleet_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
)

// traces are what a fleet has on this machine, while it runs.
type traces struct {
	files []string
	name  string
}

// tracesOf finds the traces by the fleet's directory. There have to be some of
// each kind, or their absence would show nothing.
func tracesOf(t *testing.T, dir string) traces {
	t.Helper()
	name := filepath.Base(dir)
	tr := traces{name: name, files: []string{
		dir, "/run/netns/" + name, "/sys/class/net/ff-" + name[strings.LastIndexByte(name, '-')+1:],
	}}
	pids, err := exec.CommandContext(t.Context(), "ip", "netns", "pids", name).Output()
	require.NoError(t, err)
	require.NotEmpty(t, pids)
	for pid := range strings.FieldsSeq(string(pids)) {
		tr.files = append(tr.files, "/proc/"+pid+"/exe") // a dead one that waits for init has none
	}
	for _, file := range tr.files {
		require.True(t, there(file), file)
	}
	require.Contains(t, mounts(t), name)
	return tr
}

func (tr traces) requireGone(t *testing.T) {
	t.Helper()
	for _, file := range tr.files {
		require.False(t, there(file), file)
	}
	require.NotContains(t, mounts(t), tr.name)
}

// there asks for what a link says, as that of a dead process says nothing.
func there(file string) bool {
	if filepath.Base(file) == "exe" {
		_, err := os.Readlink(file)
		return err == nil
	}
	_, err := os.Lstat(file)
	return err == nil
}

func mounts(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	return string(content)
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 5)
	client, err := dial(within(t, time.Minute), f, f.Hosts[0], "forge")
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	mend, err := f.Hosts[1].Break(t.Context(), sshfleet.Silence)
	require.NoError(t, err)
	before := mounts(t)
	for _, kind := range []string{"disk", "volatile"} {
		require.NotContains(t, before, " "+kind+" ", "a host's file system is in its namespace alone")
	}
	left := tracesOf(t, filepath.Dir(f.KeyFile))
	require.NoError(t, f.Close())
	left.requireGone(t)

	require.NoError(t, f.Close(), "again")
	require.NoError(t, mend())
	h := f.Hosts[0]
	_, err = h.Run(t.Context(), "true")
	require.ErrorIs(t, err, sshfleet.ErrEnded)
	_, err = h.File("/etc/passwd")
	require.ErrorIs(t, err, sshfleet.ErrEnded)
	_, err = h.Break(t.Context(), sshfleet.Down)
	require.ErrorIs(t, err, sshfleet.ErrEnded)
	require.ErrorIs(t, h.Reload(t.Context()), sshfleet.ErrEnded)
	require.ErrorIs(t, f.DropConnections(t.Context()), sshfleet.ErrEnded)
}

// No other test has a fleet while this one runs, as it is not parallel.
func TestStartIsGivenUp(t *testing.T) {
	fleettest.Start(t, 1) // or skip
	pattern := fmt.Sprintf("/run/*/forge-fleet-%d-*", os.Getpid())
	before, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, before)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, os.ErrDeadlineExceeded)
	defer cancel()
	_, err = sshfleet.Start(ctx, sshfleet.Config{Hosts: sshfleet.MaxHosts})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	after, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

const ownerVariable = "FORGE_SSHFLEET_TEST_OWNER"

func TestSweep(t *testing.T) {
	t.Parallel()
	live := fleettest.Start(t, 1)
	ctx := within(t, time.Minute)

	owner := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestOwner$")
	owner.Env = append(os.Environ(), ownerVariable+"=1")
	said, err := owner.StdoutPipe()
	require.NoError(t, err)
	hold, err := owner.StdinPipe()
	require.NoError(t, err)
	defer func() { _ = hold.Close() }()
	require.NoError(t, owner.Start())
	var dir string
	_, err = fmt.Fscanln(said, &dir)
	require.NoError(t, err)
	left := tracesOf(t, dir)
	_, err = sshfleet.Sweep(ctx)
	require.NoError(t, err)
	require.DirExists(t, dir, "its owner lives")

	require.NoError(t, owner.Process.Kill())
	require.Error(t, owner.Wait())
	require.DirExists(t, dir)
	_, err = sshfleet.Sweep(ctx)
	require.NoError(t, err)
	left.requireGone(t)
	_, err = login(ctx, live, live.Hosts[0], "root", "true")
	require.NoError(t, err)
}

// TestOwner is no test: it is the process that TestSweep kills.
func TestOwner(t *testing.T) {
	if os.Getenv(ownerVariable) == "" {
		t.Skip("is started by TestSweep")
	}
	f := fleettest.Start(t, 3)
	fmt.Println(filepath.Dir(f.KeyFile))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

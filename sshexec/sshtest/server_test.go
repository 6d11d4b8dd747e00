package sshtest_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func dial(t *testing.T, s *sshtest.Server) *sshexec.Client {
	t.Helper()
	c, err := sshexec.Dial(t.Context(), s.Target())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestHandlerSeesTheCommand(t *testing.T) {
	t.Parallel()
	args := []string{"", "it's", "a b\n$x `y`", "|| cd /; "}
	script := "echo \"$1\" 'two' && cat || cd /; true\n"
	for name, cmd := range map[string]sshexec.Command{
		"root":              {Script: script, Args: args},
		"user":              {Script: script, Args: args, User: "daemon"},
		"fenced":            {Script: script, Args: args, User: "daemon", Fence: sshexec.Fence{Key: "k", Epoch: 1}},
		"perl":              {Script: script, Args: args, Perl: true},
		"perl, fenced":      {Script: script, Args: args, Perl: true, Fence: sshexec.Fence{Key: "k", Epoch: 1}},
		"perl, fenced user": {Script: script, Args: args, Perl: true, User: "daemon", Fence: sshexec.Fence{Key: "k", Epoch: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.New(t, &sshtest.Options{Handler: func(_ context.Context, cmd *sshtest.Exec) int {
				stdin, _ := io.ReadAll(cmd.Stdin)
				if cmd.Login != "root" || cmd.Script != script || !equal(cmd.Args, args) || string(stdin) != "in" {
					return 1
				}
				_, _ = io.WriteString(cmd.Stdout, "out")
				_, _ = io.WriteString(cmd.Stderr, "err")
				return 3
			}})
			cmd.Stdin = strings.NewReader("in")
			result, err := dial(t, s).Run(t.Context(), cmd)
			var exit *sshexec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 3, exit.ExitCode)
			require.Equal(t, "out", string(result.Stdout))
			require.Equal(t, "err", string(result.Stderr))
		})
	}
}

func equal(a, b []string) bool { return strings.Join(a, "\x00") == strings.Join(b, "\x00") }

func TestShell(t *testing.T) {
	t.Parallel()
	c := dial(t, sshtest.New(t, &sshtest.Options{Shell: true}))
	result, err := c.Run(t.Context(), sshexec.Command{Script: `echo "$1"; cat; exit 4`, Args: []string{"x"}, Stdin: strings.NewReader("in")})
	var exit *sshexec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 4, exit.ExitCode)
	require.Equal(t, "x\nin", string(result.Stdout))
	_, err = c.Run(t.Context(), sshexec.Command{Script: "kill -TERM $$"})
	require.ErrorAs(t, err, &exit)
	require.Equal(t, "TERM", exit.Signal)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	s := sshtest.New(t, nil)
	c := dial(t, s)
	require.NoError(t, os.Mkdir(s.Dir+"/etc", 0o755))
	data := bytes.Repeat([]byte("0123456789"), 100_000)
	require.NoError(t, c.Upload(t.Context(), sshexec.UploadSpec{Path: "/etc/a", Body: bytes.NewReader(data), Mode: 0o640}))
	require.NoError(t, c.Upload(t.Context(), sshexec.UploadSpec{Path: "/etc/a", Body: bytes.NewReader(data), Mode: 0o640}))
	info, err := os.Stat(s.Dir + "/etc/a")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode())
	var back bytes.Buffer
	require.NoError(t, c.Download(t.Context(), sshexec.DownloadSpec{Path: "/etc/a", Body: &back}))
	require.True(t, bytes.Equal(data, back.Bytes()))
	require.ErrorIs(t, c.Download(t.Context(), sshexec.DownloadSpec{Path: "/../etc/passwd", Body: &back}), sshexec.ErrInvalid)
	require.ErrorIs(t, c.Download(t.Context(), sshexec.DownloadSpec{Path: "/etc/passwd", Body: &back}), os.ErrNotExist)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	stage := func(t *testing.T, err error, want sshexec.Stage) {
		var connect *sshexec.ConnectError
		require.ErrorAs(t, err, &connect)
		require.Equal(t, want, connect.Stage)
	}
	handler := &sshtest.Options{Handler: func(context.Context, *sshtest.Exec) int { return 0 }}
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		s := sshtest.New(t, nil)
		s.Set(sshtest.Faults{Silent: true})
		target := s.Target()
		target.Timeout = 50 * time.Millisecond
		_, err := sshexec.Dial(t.Context(), target)
		stage(t, err, sshexec.StageHandshake)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("sessions refused", func(t *testing.T) {
		t.Parallel()
		s := sshtest.New(t, handler)
		s.Set(sshtest.Faults{RefuseSessions: true})
		_, err := dial(t, s).Run(t.Context(), sshexec.Command{})
		stage(t, err, sshexec.StageSession)
	})
	t.Run("commands refused", func(t *testing.T) {
		t.Parallel()
		s := sshtest.New(t, handler)
		s.Set(sshtest.Faults{RefuseCommands: true})
		_, err := dial(t, s).Run(t.Context(), sshexec.Command{})
		stage(t, err, sshexec.StageSession)
	})
	t.Run("no exit status", func(t *testing.T) {
		t.Parallel()
		s := sshtest.New(t, handler)
		s.Set(sshtest.Faults{NoExitStatus: true})
		_, err := dial(t, s).Run(t.Context(), sshexec.Command{})
		require.ErrorIs(t, err, sshexec.ErrUnknown)
	})
	t.Run("signal", func(t *testing.T) {
		t.Parallel()
		s := sshtest.New(t, handler)
		s.Set(sshtest.Faults{Signal: "SEGV"})
		_, err := dial(t, s).Run(t.Context(), sshexec.Command{})
		var exit *sshexec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, sshexec.ExitError{ExitCode: -1, Signal: "SEGV"}, *exit)
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		s := sshtest.New(t, handler)
		c := dial(t, s)
		s.Set(sshtest.Faults{Delay: 30 * time.Millisecond, BytesPerSecond: 1 << 20})
		begun := time.Now()
		_, err := c.Run(t.Context(), sshexec.Command{})
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(begun), 60*time.Millisecond)
	})
}

package sshexec_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestRunOnOpenSSH(t *testing.T) {
	t.Parallel()
	c := startSSHD(t).dial(t)

	t.Run("outputs, arguments, stdin", func(t *testing.T) {
		t.Parallel()
		weird := "it's $HOME `id` \"x\"\n\xff\u00a0-é"
		result, err := c.Run(t.Context(), sshexec.Command{
			Script: "cat\nprintf '%s|' \"$@\"\nid -un >&2; pwd >&2; echo \"$HOME $PATH\" >&2",
			Args:   []string{weird, "-n", ""},
			Stdin:  strings.NewReader("from stdin|"),
		})
		require.NoError(t, err)
		require.Equal(t, "from stdin|"+weird+"|-n||", string(result.Stdout))
		require.Equal(t, "root\n/root\n/root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n", string(result.Stderr))
		require.Zero(t, result.ExitCode)
		require.Positive(t, result.Duration)
	})
	t.Run("strict", func(t *testing.T) {
		t.Parallel()
		for _, script := range []string{"false; true", "false | true", "echo $unset"} {
			_, err := c.Run(t.Context(), sshexec.Command{Script: script})
			var exit *sshexec.ExitError
			require.ErrorAs(t, err, &exit, script)
		}
	})
	t.Run("exit status and stderr", func(t *testing.T) {
		t.Parallel()
		var stderr bytes.Buffer
		result, err := c.Run(t.Context(), sshexec.Command{
			Script: "seq 100000 101999 >&2\nprintf 'end\\xff' >&2; exit 97",
			Stderr: &stderr,
		})
		var exit *sshexec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 97, exit.ExitCode)
		require.Equal(t, 97, result.ExitCode)
		require.True(t, strings.HasSuffix(exit.Stderr, "101998\n101999\nend\uFFFD"))
		require.True(t, strings.HasPrefix(exit.Stderr, "101416\n"), "whole lines of the last 4 KiB")
		require.Equal(t, 14004, stderr.Len())
	})
	t.Run("line numbers are the script's", func(t *testing.T) {
		t.Parallel()
		_, err := c.Run(t.Context(), sshexec.Command{Script: "true\nnosuchcommand"})
		require.ErrorContains(t, err, "line 2: nosuchcommand")
	})
	t.Run("signal", func(t *testing.T) {
		t.Parallel()
		result, err := c.Run(t.Context(), sshexec.Command{Script: "kill -KILL $$"})
		var exit *sshexec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, "KILL", exit.Signal)
		require.Equal(t, -1, result.ExitCode)
	})
	t.Run("another user", func(t *testing.T) {
		t.Parallel()
		home := unixUser(t, "daemon").HomeDir
		result, err := c.Run(t.Context(), sshexec.Command{
			User:   "daemon",
			Script: `id -un; pwd; echo "$HOME $USER $LOGNAME"; cat`,
			Stdin:  strings.NewReader("in"),
		})
		require.NoError(t, err)
		require.Equal(t, "daemon\n"+home+"\n"+home+" daemon daemon\nin", string(result.Stdout))
	})
	t.Run("perl", func(t *testing.T) {
		t.Parallel()
		testPerl(t, c)
	})
	t.Run("bounded", func(t *testing.T) {
		t.Parallel()
		result, err := c.Run(t.Context(), sshexec.Command{Script: "head -c 3000000 /dev/zero"})
		require.NoError(t, err)
		require.Len(t, result.Stdout, sshexec.MaxOutput)
		require.True(t, result.Truncated)
	})
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		_, err := c.Run(t.Context(), sshexec.Command{Script: strings.Repeat("x", 101<<10)})
		require.ErrorIs(t, err, sshexec.ErrTooLarge)
		result, err := c.Run(t.Context(), sshexec.Command{Script: ": " + strings.Repeat("x", 99<<10) + "\necho ok"})
		require.NoError(t, err)
		require.Equal(t, "ok\n", string(result.Stdout))
	})
	t.Run("invalid", func(t *testing.T) {
		t.Parallel()
		for _, cmd := range []sshexec.Command{
			{User: "a b"}, {User: "-u"}, {User: "Root"}, {User: "a\nb"},
			{Script: "a\x00b"}, {Args: []string{"\x00"}},
			{Fence: sshexec.Fence{Key: "../x"}}, {Fence: sshexec.Fence{Key: "x", Epoch: -1}},
		} {
			_, err := c.Run(t.Context(), cmd)
			require.ErrorIs(t, err, sshexec.ErrInvalid)
		}
	})
	t.Run("a child keeps the output open", func(t *testing.T) {
		t.Parallel()
		begun := time.Now()
		result, err := c.Run(t.Context(), sshexec.Command{Script: "sleep 60 & echo $!"})
		require.NoError(t, err)
		require.Less(t, time.Since(begun), 10*time.Second)
		_, err = c.Run(t.Context(), sshexec.Command{Script: `kill "$1"`, Args: []string{strings.TrimSpace(string(result.Stdout))}})
		require.NoError(t, err)
	})
}

// A cancelled command is gone when Run returns, whoever runs it and however
// deaf it is.
func TestRunStops(t *testing.T) {
	t.Parallel()
	c := startSSHD(t).dial(t)
	for name, cmd := range map[string]sshexec.Command{
		"root": {Script: "echo $$; sleep 60"},
		"user": {Script: "echo $$; sleep 60", User: "daemon"},
		"deaf": {Script: "trap '' TERM; echo $$; while :; do sleep 60; done"},
		// Without the last sleep, these could end well before they are asked to
		// end: wait returns 0 when the children are gone.
		"many":           {Script: "echo $$; for i in {1..30}; do sleep 60 & (sleep 60; :) & done; wait; sleep 60"},
		"child":          {Script: "env -i setsid sleep 60 & echo $!; wait; sleep 60"},
		"fenced":         {Script: "echo $$; sleep 60", User: "daemon", Fence: ownFence(t)},
		"perl":           {Script: perlSleeps, Perl: true, Fence: ownFence(t)},
		"perl of a user": {Script: perlSleeps, Perl: true, User: "daemon", Fence: ownFence(t)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			mark := rand.Text()
			first := &firstLine{seen: make(chan string, 1)}
			cmd.Stdout = first
			if cmd.Perl {
				cmd.Script = "$ENV{TEST_MARK} = '" + mark + "'; " + cmd.Script
			} else {
				cmd.Script = "export TEST_MARK=" + mark + "; " + cmd.Script
			}
			done := make(chan error, 1)
			go func() {
				_, err := c.Run(ctx, cmd)
				done <- err
			}()
			pid := <-first.seen
			cancel()
			begun := time.Now()
			err := <-done
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, sshexec.ErrUnknown)
			require.Less(t, time.Since(begun), 5*time.Second)
			requireGone(t, pid)
			left, err := c.Run(t.Context(), sshexec.Command{Script: `grep -lszF "TEST_MARK=$1" /proc/[0-9]*/environ || true`, Args: []string{mark}})
			require.NoError(t, err)
			require.Empty(t, string(left.Stdout))
		})
	}
}

// requireGone fails when a process lives. A dead one that its parent has not
// waited for is gone.
func requireGone(t *testing.T, pid string) {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err == nil {
		require.Contains(t, string(stat), ") Z ", "the process lives")
	}
}

// firstLine tells the first line that is written to it.
type firstLine struct {
	seen chan string
	text []byte
}

func (f *firstLine) Write(p []byte) (int, error) {
	had := bytes.ContainsRune(f.text, '\n')
	f.text = append(f.text, p...)
	if line, _, ok := bytes.Cut(f.text, []byte("\n")); ok && !had {
		f.seen <- string(line)
	}
	return len(p), nil
}

package sshexec_test

import (
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge/sshexec"
)

const fenceDir = "/var/lib/forge/fence"

// ownFence is a fence of this test alone, of epoch 1; what it leaves on this
// machine is removed.
func ownFence(t testing.TB) sshexec.Fence {
	key := "test-" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		_ = os.Remove(fenceDir + "/" + key)
		_ = os.Remove(fenceDir + "/" + key + ".lock")
		_ = os.Remove(fenceDir + "/" + key + ".new")
		_ = os.Remove(fenceDir) // fails unless empty, as it should
		_ = os.Remove("/var/lib/forge")
	})
	return sshexec.Fence{Key: key, Epoch: 1}
}

func TestFenceOnOpenSSH(t *testing.T) {
	t.Parallel()
	c := startSSHD(t).dial(t)
	fence := ownFence(t)
	run := func(epoch int64, user, script string, args ...string) (string, error) {
		result, err := c.Run(t.Context(), sshexec.Command{
			Script: script, Args: args, User: user, Fence: sshexec.Fence{Key: fence.Key, Epoch: epoch},
		})
		if err != nil {
			return "", err
		}
		return string(result.Stdout), nil
	}
	out, err := run(5, "", "id -un; umask")
	require.NoError(t, err)
	require.Equal(t, "root\n0022\n", out)
	out, err = run(5, "daemon", `id -un; echo "$1"`, "it's")
	require.NoError(t, err)
	require.Equal(t, "daemon\nit's\n", out)
	_, err = run(4, "", "exit 3")
	require.ErrorIs(t, err, sshexec.ErrFenced)
	_, err = run(6, "", "exit 3")
	var exit *sshexec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 3, exit.ExitCode)
	_, err = run(5, "", "exit 3")
	require.ErrorIs(t, err, sshexec.ErrFenced)
	_, err = run(6, "", "echo fenced >&2; exit 97")
	require.ErrorAs(t, err, &exit, "a script's own status is no refusal")

	info, err := os.Stat(fenceDir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	// What a script leaves in the background does not hold the fence.
	out, err = run(6, "", "sleep 60 >/dev/null 2>&1 & echo $!")
	require.NoError(t, err)
	_, err = run(6, "", `kill "$1"`, strings.TrimSpace(out))
	require.NoError(t, err)
}

// A script in perl runs in the process that holds the fence.
func TestFencedPerl(t *testing.T) {
	t.Parallel()
	c := startSSHD(t).dial(t)
	fence := ownFence(t)
	run := func(epoch int64, script string, args ...string) (string, error) {
		result, err := c.Run(t.Context(), sshexec.Command{
			Perl: true, Script: script, Args: args, Fence: sshexec.Fence{Key: fence.Key, Epoch: epoch},
		})
		if result == nil {
			return "", err
		}
		return string(result.Stdout), err
	}
	out, err := run(5, `$| = 1; printf "%o\n", umask; exec "flock", "-n", "-E", 3, $ARGV[0], "echo", "free"`, lockFile(fence))
	require.NoError(t, err)
	require.Equal(t, "22\nfree\n", out, "what it starts does not hold the lock")
	_, err = run(5, `system "flock", "-n", "-E", 3, $ARGV[0], "true"; exit($? >> 8)`, lockFile(fence))
	var exit *sshexec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 3, exit.ExitCode, "it holds the lock")

	marker := t.TempDir() + "/ran"
	_, err = run(4, `BEGIN { open F, ">", $ARGV[0] }`, marker)
	require.ErrorIs(t, err, sshexec.ErrFenced)
	require.NoFileExists(t, marker, "not even what runs as it is compiled")
	_, err = run(5, `BEGIN { open F, ">", $ARGV[0] }`, marker)
	require.NoError(t, err)
	require.FileExists(t, marker)
}

// Of two holders the scripts never overlap, and the older one never comes
// after the newer one.
func TestFenceExcludes(t *testing.T) {
	t.Parallel()
	c := startSSHD(t).dial(t)
	fence := ownFence(t)
	log := t.TempDir() + "/log"
	var group errgroup.Group
	for i := range 20 {
		epoch := int64(i%2 + 1)
		group.Go(func() error {
			_, err := c.Run(t.Context(), sshexec.Command{
				Script: `echo "begin $1" >>"$2"; sleep 0.01; echo "end $1" >>"$2"`,
				Args:   []string{strconv.FormatInt(epoch, 10), log},
				Fence:  sshexec.Fence{Key: fence.Key, Epoch: epoch},
			})
			if epoch == 1 && errors.Is(err, sshexec.ErrFenced) {
				return nil
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	highest := "1"
	for i := 0; i < len(lines); i += 2 {
		epoch, ok := strings.CutPrefix(lines[i], "begin ")
		require.True(t, ok)
		require.Equal(t, "end "+epoch, lines[i+1])
		require.GreaterOrEqual(t, epoch, highest)
		highest = epoch
	}
}

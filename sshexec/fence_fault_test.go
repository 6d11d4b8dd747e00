package sshexec_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// fenceCommand is a command under a fence as the server starts it.
func fenceCommand(t *testing.T, fence sshexec.Fence, command ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), "needs root, as the fence is root's")
		t.Skip("needs root, as the fence is root's")
	}
	args := []string{"-e", perlSource(t), "--", fence.Key, strconv.FormatInt(fence.Epoch, 10), "mark"}
	return exec.Command("perl", append(args, command...)...)
}

func perlSource(t *testing.T) string {
	t.Helper()
	fence, err := os.ReadFile("fence.pl")
	require.NoError(t, err)
	child, err := os.ReadFile("child.pl")
	require.NoError(t, err)
	return string(fence) + string(child)
}

func lockFile(fence sshexec.Fence) string { return fenceDir + "/" + fence.Key + ".lock" }

func epochOf(t *testing.T, fence sshexec.Fence) string {
	t.Helper()
	text, err := os.ReadFile(fenceDir + "/" + fence.Key)
	require.NoError(t, err)
	return string(text)
}

func TestFencePassesTheEndOn(t *testing.T) {
	t.Parallel()
	fence := ownFence(t)
	for name, tt := range map[string]struct {
		status  int
		command []string
	}{
		"exit":           {7, []string{"sh", "-c", "exit 7"}},
		"KILL":           {128 + 9, []string{"sh", "-c", "kill -KILL $$"}},
		"TERM":           {128 + 15, []string{"sh", "-c", "kill -TERM $$"}},
		"no such file":   {127, []string{"/nonexistent/command", "x"}},
		"not executable": {126, []string{"/etc/passwd"}},
		// What ends the fence early would leave its command without a lock.
		"deaf": {5, []string{"sh", "-c", `kill -TERM $PPID && ! flock -n "$0" true && exit 5`, lockFile(fence)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := fenceCommand(t, fence, tt.command...).CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, tt.status, exit.ExitCode(), "%s", out)
		})
	}
}

// flock(1), as forge took the lock with before, and the fence exclude each other.
func TestFenceWaitsForFlock(t *testing.T) {
	t.Parallel()
	fence := ownFence(t)
	require.NoError(t, fenceCommand(t, fence, "true").Run())
	holder := exec.Command("flock", lockFile(fence), "sh", "-c", `echo held; read -r _; echo first >"$0"`, t.TempDir()+"/log")
	stdin, err := holder.StdinPipe()
	require.NoError(t, err)
	stdout, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = holder.Wait()
	})
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)

	// With less patience it gives up.
	impatient := fenceCommand(t, fence, "true")
	impatient.Args[2] = strings.Replace(impatient.Args[2], "alarm 30;", "alarm 1;", 1)
	require.Contains(t, impatient.Args[2], "alarm 1;")
	out, err := impatient.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 98, exit.ExitCode())
	require.Equal(t, "mark busy\n", string(out))

	next := fenceCommand(t, fence, "cat", holder.Args[len(holder.Args)-1])
	var log strings.Builder
	next.Stdout = &log
	require.NoError(t, next.Start())
	require.Eventually(t, func() bool {
		locks, err := os.ReadFile("/proc/locks")
		return err == nil && strings.Contains(string(locks), fmt.Sprintf("-> FLOCK  ADVISORY  WRITE %d ", next.Process.Pid))
	}, 10*time.Second, time.Millisecond, "it does not wait")
	require.NoError(t, stdin.Close())
	require.NoError(t, next.Wait())
	require.Equal(t, "first\n", log.String())
}

// Wherever it is killed, there is a whole epoch, and the next one gets through.
func TestFenceSurvivesBeingKilled(t *testing.T) {
	t.Parallel()
	fence := ownFence(t)
	require.NoError(t, fenceCommand(t, fence, "true").Run())
	for i := range 60 {
		before := epochOf(t, fence)
		fence.Epoch++
		cmd := fenceCommand(t, fence, "true")
		require.NoError(t, cmd.Start())
		time.AfterFunc(time.Duration(i)*100*time.Microsecond, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		now := fmt.Sprintln(fence.Epoch)
		if err == nil {
			require.Equal(t, now, epochOf(t, fence))
		}
		require.Contains(t, []string{before, now}, epochOf(t, fence))
	}
	// In the middle of the write, which the above may not hit.
	require.NoError(t, os.WriteFile(fenceDir+"/"+fence.Key+".new", []byte("9"), 0o600))
	fence.Epoch++
	require.NoError(t, fenceCommand(t, fence, "true").Run())
	require.Equal(t, fmt.Sprintln(fence.Epoch), epochOf(t, fence))
	require.NoFileExists(t, fenceDir+"/"+fence.Key+".new")
}

// Nothing runs under an epoch that is not on the disk.
func TestFenceRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ prepare, says string }{
		"full disk":       {"head -c 1M /dev/zero >/var/lib/fill 2>/dev/null || true", "No space left on device"},
		"read-only disk":  {"mount -o remount,ro /var/lib", "Read-only file system"},
		"no directory":    {"rm -r /var/lib/forge/fence; : >/var/lib/forge/fence", "Not a directory"},
		"epoch cut short": {": >/var/lib/forge/fence/k", "holds no epoch"},
		"epoch damaged":   {"echo x1 >/var/lib/forge/fence/k", "holds no epoch"},
		"no lock file":    {"mkdir /var/lib/forge/fence/k.lock", "Is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := fenceCommand(t, sshexec.Fence{Key: "k", Epoch: 2}, "echo", "ran")
			disk := "mount -t tmpfs -o size=64k none /var/lib && mkdir -p /var/lib/forge/fence && " + tt.prepare + ` && exec "$@"`
			cmd = exec.Command("unshare", append([]string{"--mount", "sh", "-c", disk, "sh"}, cmd.Args...)...)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit, "%s", out)
			require.Equal(t, 1, exit.ExitCode(), "%s", out)
			require.Contains(t, string(out), "fence k: ")
			require.Contains(t, string(out), tt.says)
			require.NotContains(t, string(out), "ran\n")
		})
	}
}

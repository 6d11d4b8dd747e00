package testmachine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
)

// Of is a machine that a provider of this host made elsewhere, for troubles that
// need no login of its own.
func Of(m *provider.Machine) *Machine {
	return &Machine{ID: m.ID, Address: m.Address, Port: m.Port}
}

// Inside runs a bash script as root in the machine, by way of this host, so that
// neither network nor SSH matters. It counts to this host, not to the machine,
// for its memory. The script has to exit 0; Inside returns what it printed on
// its standard output.
func (m *Machine) Inside(t testing.TB, script string, args ...string) string {
	t.Helper()
	out, err := m.TryInside(context.WithoutCancel(t.Context()), script, args...)
	require.NoError(t, err)
	return out
}

// TryInside is Inside with a context, which ends the script, and an error.
func (m *Machine) TryInside(ctx context.Context, script string, args ...string) (string, error) {
	leader, err := m.leader(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{
		"--target=" + leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
		"/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root",
		"bash", "-euo", "pipefail", "-c", script, "inside",
	}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("inside machine %s: %w: %s", m.ID, err, &stderr)
	}
	return stdout.String(), nil
}

// leader is the process of this host that is the machine's PID 1.
func (m *Machine) leader(ctx context.Context) (string, error) {
	pids, err := exec.CommandContext(ctx, "ip", "netns", "pids", m.ID).Output()
	if err != nil {
		return "", fmt.Errorf("processes of machine %s: %w", m.ID, err)
	}
	for pid := range strings.FieldsSeq(string(pids)) {
		status, _ := os.ReadFile("/proc/" + pid + "/status") // it may be gone
		for line := range strings.Lines(string(status)) {
			if ids := strings.Fields(line); len(ids) > 2 && ids[0] == "NSpid:" && ids[len(ids)-1] == "1" {
				return pid, nil
			}
		}
	}
	return "", fmt.Errorf("machine %s does not run", m.ID)
}

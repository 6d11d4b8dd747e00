package servertest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Shellcheck fails the test for what shellcheck finds in a script, which is
// read as the server runs it: with -euo pipefail.
func Shellcheck(t *testing.T, script string) {
	t.Helper()
	binary, err := exec.LookPath("shellcheck")
	if err != nil {
		const missing = "needs shellcheck: apt-get install shellcheck"
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), missing)
		t.Skip(missing)
	}
	cmd := exec.CommandContext(t.Context(), binary, "--shell=bash", "--color=never", "-")
	cmd.Stdin = strings.NewReader("set -euo pipefail\n" + script)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

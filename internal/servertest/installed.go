package servertest

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/sshexec"
)

//go:embed clean.sh
var clean string

// Installed is a disk with the stack, for nspawn.Config.Images: what forge has
// to install on it is little.
func Installed(t testing.TB) map[string]string {
	t.Helper()
	image := testmachine.Image()
	dirs := testmachine.Layer{
		Name: "installed",
		// The lists of packages are good for a day.
		Version: string(stackScript(t, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")) +
			clean + time.Now().UTC().Format(time.DateOnly),
		Prepare: func(m *testmachine.Machine) error {
			script := stackScript(t, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(m.Signer.PublicKey()))))
			var log strings.Builder
			status, err := m.SSH(t).Attach(t.Context(), sshexec.RunSpec{ID: "stack-" + uuid.NewString(), Script: script}, 0, &log)
			require.NoError(t, err)
			require.Equal(t, sshexec.RunExited, status.State)
			require.Zero(t, status.ExitCode, log.String())
			_, err = m.Run(t.Context(), sshexec.Command{Script: clean})
			return err
		},
	}.Image(t)
	return map[string]string{image: dirs}
}

func stackScript(t testing.TB, key string) []byte {
	t.Helper()
	script, err := stack.Build(stack.Config{OS: testmachine.Image(), ControlKey: key})
	require.NoError(t, err)
	return script.Bytes
}

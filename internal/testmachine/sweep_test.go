package testmachine_test

import (
	"crypto/ed25519"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	live := testmachine.New(t)

	p, err := nspawn.New(nspawn.Config{})
	require.NoError(t, err)
	dead := exec.CommandContext(t.Context(), "true")
	require.NoError(t, dead.Run())
	spec := provider.Spec{
		ID: "sweep-" + strconv.Itoa(os.Getpid()), Name: "left", AuthorizedKey: anyKey(t),
		Labels: map[string]string{"forge-test-owner": strconv.Itoa(dead.Process.Pid) + "-1"},
	}
	left, err := p.Create(t.Context(), spec)
	require.NoError(t, err)
	spec.ID, spec.Labels = "unowned-"+strconv.Itoa(os.Getpid()), nil
	unowned, err := p.Create(t.Context(), spec)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Delete(t.Context(), unowned.ID)) }()

	_, err = testmachine.Sweep(t.Context())
	require.NoError(t, err)
	_, err = p.Get(t.Context(), left.ID)
	require.ErrorIs(t, err, provider.ErrNotFound)
	_, err = p.Get(t.Context(), unowned.ID)
	require.NoError(t, err, "no test made it")
	live.Must(t, "true")
}

func anyKey(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return string(ssh.MarshalAuthorizedKey(key))
}

package nspawn_test

import (
	"crypto/ed25519"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

// makeAndHangEnv makes the test binary a program that creates a machine.
const makeAndHangEnv = "FORGE_TEST_MAKE_AND_HANG"

func TestMain(m *testing.M) {
	if id := os.Getenv(makeAndHangEnv); id != "" {
		makeAndHang(id)
	}
	goleak.VerifyTestMain(m)
}

// newProvider returns the provider of this host, where machines can be made.
// It uses the default Dir, whose base images are made once for all.
func newProvider(t *testing.T) *nspawn.Provider {
	t.Helper()
	p, err := nspawn.New(nspawn.Config{})
	require.NoError(t, err)
	if err := p.Validate(t.Context()); err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), err)
		t.Skip(err)
	}
	return p
}

func newSpec(t *testing.T, id string) provider.Spec {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return provider.Spec{ID: id, Name: "test", AuthorizedKey: string(ssh.MarshalAuthorizedKey(key))}
}

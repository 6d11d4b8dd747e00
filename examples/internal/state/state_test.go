package state_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/state"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

func open(t *testing.T, file string) (*state.State, *forge.Forge) {
	s, err := state.Open(t.Context(), file)
	require.NoError(t, err)
	f, err := forge.New(forge.Config{Store: s.Store, Sealer: s.Sealer, Providers: map[string]provider.Provider{
		"cloud": providertest.NewFake(providertest.FakeConfig{}),
	}})
	require.NoError(t, err)
	return s, f
}

func TestStateOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	s, f := open(t, file)
	server, _, err := f.Servers.Create(t.Context(), forge.ServerOpts{Name: "web-1", Provider: "cloud"})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	for _, name := range []string{file, file + ".keys"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
		}
	}

	s, f = open(t, file)
	found, err := f.Servers.Get(t.Context(), server.ID)
	require.NoError(t, err)
	require.Equal(t, "web-1", found.Name)
	require.NoError(t, f.CheckSealer(t.Context()))
	require.NoError(t, s.Close())

	require.NoError(t, os.Remove(file+".keys"))
	_, err = state.Open(t.Context(), file)
	require.ErrorContains(t, err, "but not the keys of what it holds")
	require.NoFileExists(t, file+".keys")
}

package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

// The suite that the providers of forge pass is there for yours too.
func TestSpares(t *testing.T) {
	t.Parallel()
	providertest.Test(t, newSpares(t, "192.0.2.7\n192.0.2.8\n"), &providertest.Options{
		NoLogin: true, NoLabels: true, Poll: time.Millisecond,
	})
}

func TestSparesRunOut(t *testing.T) {
	t.Parallel()
	s := newSpares(t, "192.0.2.7\n")
	spec := provider.Spec{ID: "s1", Name: "web-1"}
	first, err := s.Create(t.Context(), spec)
	require.NoError(t, err)
	again, err := s.Create(t.Context(), spec)
	require.NoError(t, err)
	require.Equal(t, first, again)
	_, err = s.Create(t.Context(), provider.Spec{ID: "s2", Name: "web-2"})
	require.ErrorIs(t, err, provider.ErrCapacity)
}

func newSpares(t *testing.T, inventory string) *spares {
	dir := t.TempDir()
	file := filepath.Join(dir, "inventory")
	require.NoError(t, os.WriteFile(file, []byte(inventory), 0o600))
	claims := filepath.Join(dir, "claims")
	require.NoError(t, os.Mkdir(claims, 0o700))
	return &spares{inventory: file, claims: claims}
}

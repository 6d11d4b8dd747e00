// Package fleettest gives tests a fleet of real SSH servers.
package fleettest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/sshfleet"
)

// Start returns a fleet that ends with the test. A test that cannot have one is
// skipped, or fails where FORGE_TEST_MACHINES is 1.
func Start(t testing.TB, hosts int) *sshfleet.Fleet {
	t.Helper()
	if err := sshfleet.Check(); err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), err.Error())
		t.Skip(err)
	}
	fleet, err := sshfleet.Start(t.Context(), sshfleet.Config{Hosts: hosts})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fleet.Close()) })
	return fleet
}

package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/sqlite"
	"github.com/seed-797f2c2c/forge/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB) forge.Store { return openFile(t, filepath.Join(t.TempDir(), "forge.db")) }

// openFile returns a store that is closed with the test.
func openFile(t testing.TB, file string) *sqlite.Store {
	s, err := sqlite.Open(t.Context(), file)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T) forge.Store { return open(t) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) forge.Store { return open(b) })
}

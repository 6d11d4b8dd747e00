package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
	"github.com/seed-797f2c2c/forge/store/storetest"
)

func open(t testing.TB) *postgres.Store {
	url, schema := pgtest.Schema(t)
	s, err := postgres.New(postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T) forge.Store { return open(t) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) forge.Store { return open(b) })
}

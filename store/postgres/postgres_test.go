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
	s := with(t, postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})
	require.NoError(t, s.Migrate(t.Context()))
	return s
}

// with returns a store that is closed with the test.
func with(t testing.TB, c postgres.Config) *postgres.Store {
	s, err := postgres.New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func update(t testing.TB, s forge.Store, fn func(forge.Tx) error) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), fn))
}

func view(t testing.TB, s forge.Store, fn func(forge.Tx) error) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), fn))
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T) forge.Store { return open(t) })
}

// TestStoreBehindPgBouncer has the settings for one that gives each transaction
// another connection: nothing is prepared, so that values of each type are sent in
// another way, and nobody listens.
func TestStoreBehindPgBouncer(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(t *testing.T) forge.Store {
		url, schema := pgtest.Schema(t)
		pool := pgtest.Pool(t, url+"&default_query_exec_mode=exec")
		s := with(t, postgres.Config{Pool: pool, Schema: schema, PollOnly: true})
		require.NoError(t, s.Migrate(t.Context()))
		return s
	}, "Texts", "Filters", "AppendLog", "Events", "Notifier")
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(b *testing.B) forge.Store { return open(b) })
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := postgres.New(postgres.Config{})
	require.ErrorIs(t, err, forge.ErrInvalid)
	url, _ := pgtest.Schema(t)
	for _, schema := range []string{"Forge", "1st", `a"b`, "a b", "a.b", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddX"} {
		_, err := postgres.New(postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})
		require.ErrorIs(t, err, forge.ErrInvalid, schema)
	}
}

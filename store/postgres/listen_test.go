package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// listeners are the backends that listen for the events of a schema.
func listeners(t *testing.T, pool *pgxpool.Pool, schema string) []int {
	rows, err := pool.Query(t.Context(), "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' || $1 || '%' "+
		"AND pid <> pg_backend_pid()", schema)
	require.NoError(t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	return pids
}

func emit(t *testing.T, s forge.Store) {
	t.Helper()
	update(t, s, func(tx forge.Tx) error {
		tx.Emit(forge.Event{Type: forge.EventStatus})
		return nil
	})
}

// waiting calls Wait until there is an answer.
func waiting(t *testing.T, s forge.Notifier, after int64) <-chan error {
	answer := make(chan error, 1)
	go func() { answer <- s.Wait(t.Context(), after) }()
	return answer
}

// TestListenerIsEnded ends the connection that listens. Who waits sees what was
// committed meanwhile, and another one listens.
func TestListenerIsEnded(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	s := with(t, postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})
	require.NoError(t, s.Migrate(t.Context()))
	listening := func() []int {
		var pids []int
		require.Eventually(t, func() bool {
			pids = listeners(t, pool, schema)
			return len(pids) == 1
		}, time.Minute, 10*time.Millisecond)
		return pids
	}
	answer := waiting(t, s, 0)
	first := listening()
	_, err := pool.Exec(t.Context(), "SELECT pg_terminate_backend($1, 60000)", first[0])
	require.NoError(t, err)
	emit(t, s)
	require.NoError(t, <-answer)

	answer = waiting(t, s, 1)
	require.NotEqual(t, first, listening())
	emit(t, s)
	require.NoError(t, <-answer)
}

func TestPollOnly(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	s := with(t, postgres.Config{Pool: pool, Schema: schema, PollOnly: true})
	require.NoError(t, s.Migrate(t.Context()))
	answer := waiting(t, s, 0)
	emit(t, with(t, postgres.Config{Pool: pool, Schema: schema}))
	require.NoError(t, <-answer)
	require.Empty(t, listeners(t, pool, schema))
}

// TestPollOnlyHearsItself checks that those who wait in the process that emits need
// not look for it.
func TestPollOnlyHearsItself(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	s := with(t, postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema, PollOnly: true})
	require.NoError(t, s.Migrate(t.Context()))
	const rounds = 20
	began := time.Now()
	for n := range int64(rounds) {
		answer := waiting(t, s, n)
		emit(t, s)
		require.NoError(t, <-answer)
	}
	require.Less(t, time.Since(began), rounds*time.Second/2)
}

// TestPoolOfOne checks that what listens keeps no connection from the pool.
func TestPoolOfOne(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	s := with(t, postgres.Config{Pool: pgtest.Pool(t, url+"&pool_max_conns=1"), Schema: schema})
	require.NoError(t, s.Migrate(t.Context()))
	for n := range int64(3) {
		answer := waiting(t, s, n)
		emit(t, s)
		require.NoError(t, <-answer)
	}
}

func TestCloseEndsThoseWhoWait(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	s, err := postgres.New(postgres.Config{Pool: pool, Schema: schema})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	answer := waiting(t, s, 0)
	require.Eventually(t, func() bool { return len(listeners(t, pool, schema)) == 1 }, time.Minute, 10*time.Millisecond)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-answer, forge.ErrState)
	require.ErrorIs(t, s.Wait(t.Context(), 0), forge.ErrState)
	require.Eventually(t, func() bool { return len(listeners(t, pool, schema)) == 0 }, time.Minute, 10*time.Millisecond)
	emit(t, s)
}

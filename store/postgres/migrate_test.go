package postgres_test

import (
	"context"
	"io/fs"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	var group errgroup.Group
	for range 8 {
		s := with(t, postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})
		group.Go(func() error { return s.Migrate(t.Context()) })
	}
	require.NoError(t, group.Wait())

	files, err := fs.Glob(postgres.Migrations(), "*.sql")
	require.NoError(t, err)
	rows, err := pgtest.Pool(t, url).Query(t.Context(),
		"SELECT count(*) FROM "+schema+".migrations WHERE version_id > 0 GROUP BY version_id")
	require.NoError(t, err)
	times, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	require.Len(t, times, len(files))
	for _, n := range times {
		require.Equal(t, 1, n, "each is applied once")
	}
}

// TestSchemas has two stores in one database, beside tables of the embedder with
// the same names, which the connections would find first.
func TestSchemas(t *testing.T) {
	t.Parallel()
	url, theirs := pgtest.Schema(t)
	pool := pgtest.Pool(t, url+"&search_path="+theirs)
	_, err := pool.Exec(t.Context(), "CREATE SCHEMA "+theirs+"; CREATE TABLE "+theirs+".servers (mine int); "+
		"CREATE TABLE "+theirs+".migrations (mine int)")
	require.NoError(t, err)

	_, first := pgtest.Schema(t)
	_, second := pgtest.Schema(t)
	a := with(t, postgres.Config{Pool: pool, Schema: first})
	b := with(t, postgres.Config{Pool: pool, Schema: second})
	require.NoError(t, a.Migrate(t.Context()))
	require.NoError(t, b.Migrate(t.Context()))

	update(t, a, func(tx forge.Tx) error {
		tx.Emit(forge.Event{Type: forge.EventStatus})
		return tx.Servers().Insert(&forge.Server{ID: "one"})
	})
	view(t, b, func(tx forge.Tx) error {
		_, err := tx.Servers().Get("one")
		require.ErrorIs(t, err, forge.ErrNotFound)
		last, err := tx.LastEvent()
		require.Zero(t, last)
		return err
	})
	update(t, b, func(tx forge.Tx) error {
		tx.Emit(forge.Event{Type: forge.EventStep})
		return tx.Servers().Insert(&forge.Server{ID: "one"})
	})
	view(t, b, func(tx forge.Tx) error {
		events, err := tx.Events(0, 10)
		require.Len(t, events, 1)
		require.Equal(t, forge.EventStep, events[0].Type)
		return err
	})

	var columns, tables int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*), count(DISTINCT table_name) FROM information_schema.columns "+
		"WHERE table_schema = $1", theirs).Scan(&columns, &tables))
	require.Equal(t, []int{2, 2}, []int{columns, tables}, "what the embedder has is as it was")
}

// TestMigrateAsARole has a schema that was made for a role, which may make none, and
// connections that take that role.
func TestMigrateAsARole(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.RolePool(t, url, schema)
	s := with(t, postgres.Config{Pool: pool, Schema: schema})
	require.NoError(t, s.Migrate(t.Context()))
	require.NoError(t, s.Migrate(t.Context()), "again")
	var others int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tableowner <> $1", schema).
		Scan(&others))
	require.Zero(t, others)
	emit(t, s)
}

func TestMigrateRefusesAnotherEncoding(t *testing.T) {
	t.Parallel()
	url, name := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	_, err := pool.Exec(t.Context(), "CREATE DATABASE "+name+" ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
	require.NoError(t, err)
	other := pgtest.Pool(t, url+"&dbname="+name)
	t.Cleanup(func() {
		_, err := pool.Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
	})
	err = with(t, postgres.Config{Pool: other}).Migrate(t.Context())
	require.ErrorIs(t, err, forge.ErrState)
	require.ErrorContains(t, err, "UTF8")
}

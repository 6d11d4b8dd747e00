package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// TestPooledConnectionsAreBroken ends all connections of a pool while nobody uses
// them, as the restart of a database does. Nobody is told of it.
func TestPooledConnectionsAreBroken(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	config, err := pgxpool.ParseConfig(url + "&pool_max_conns=3&application_name=" + schema)
	require.NoError(t, err)
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false } // as when used just now
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	s := with(t, postgres.Config{Pool: pool, Schema: schema, PollOnly: true})
	require.NoError(t, s.Migrate(t.Context()))

	other := pgtest.Pool(t, url)
	breakAll := func() {
		var held []*pgxpool.Conn
		for range 3 {
			c, err := pool.Acquire(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.Ping(t.Context()))
			held = append(held, c)
		}
		for _, c := range held {
			c.Release()
		}
		_, err := other.Exec(t.Context(), "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = $1", schema)
		require.NoError(t, err)
	}
	runs := 0
	for name, do := range map[string]func() error{
		"update": func() error {
			return s.Update(t.Context(), func(tx forge.Tx) error {
				runs++
				return tx.Locks().Insert(&forge.Lock{Key: "a"})
			})
		},
		"clock": func() error {
			return s.Update(t.Context(), func(tx forge.Tx) error { _ = tx.Now(); return nil })
		},
		"view": func() error {
			return s.View(t.Context(), func(tx forge.Tx) error {
				_, err := tx.Actions().List(forge.ActionFilter{}, forge.Page{})
				return err
			})
		},
		"log": func() error {
			for _, err := range s.Log(t.Context(), "a", 0) {
				return err
			}
			return nil
		},
	} {
		breakAll()
		require.NoError(t, do(), name)
	}
	require.Equal(t, 1, runs, "the statements are sent again, and what made them is not called again")
}

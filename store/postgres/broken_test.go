package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// breaking is a connection that breaks when something is sent.
type breaking struct {
	net.Conn
	at     string
	behind bool // breaks when that was sent
}

func (c *breaking) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte(c.at)) {
		return c.Conn.Write(p)
	}
	if c.behind {
		if _, err := c.Conn.Write(p); err != nil {
			return 0, err
		}
	}
	return 0, errors.Join(errors.New("broken on purpose"), c.Close())
}

// breakingPool has connections that break.
func breakingPool(t *testing.T, url, at string, behind bool) *pgxpool.Pool {
	// What is sent has the text of statements, and no names for them.
	config, err := pgxpool.ParseConfig(url + "&default_query_exec_mode=exec")
	require.NoError(t, err)
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		return &breaking{c, at, behind}, err
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(t.Context()), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func TestConnectionBreaks(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		at      string
		behind  bool
		unknown bool
		done    int64
	}{
		"begin":          {at: "BEGIN"},
		"behind begin":   {at: "BEGIN", behind: true},
		"write":          {at: "UPDATE"},
		"behind a write": {at: "UPDATE", behind: true},
		"commit":         {at: "COMMIT", unknown: true},
		"behind commit":  {at: "COMMIT", behind: true, unknown: true, done: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, schema := pgtest.Schema(t)
			s := with(t, postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})
			require.NoError(t, s.Migrate(t.Context()))
			update(t, s, func(tx forge.Tx) error { return tx.Locks().Insert(&forge.Lock{Key: "a"}) })

			breaks := with(t, postgres.Config{Pool: breakingPool(t, url, test.at, test.behind), Schema: schema})
			add := func(tx forge.Tx) error {
				l, err := tx.Locks().Get("a")
				if err != nil {
					return err
				}
				l.Fence++
				return tx.Locks().Update(l)
			}
			err := breaks.Update(t.Context(), add)
			require.ErrorIs(t, err, forge.ErrUnavailable)
			require.Equal(t, test.unknown, errors.Is(err, forge.ErrUnknown), "%v", err)

			update(t, s, add) // comes behind it
			view(t, s, func(tx forge.Tx) error {
				l, err := tx.Locks().Get("a")
				require.Equal(t, test.done+1, l.Fence)
				return err
			})
		})
	}
}

// TestConnectionBreaksBehindAView has nothing to commit, so that it is no error.
func TestConnectionBreaksBehindAView(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"COMMIT", "ROLLBACK"} {
		url, schema := pgtest.Schema(t)
		require.NoError(t, with(t, postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema}).Migrate(t.Context()))
		breaks := with(t, postgres.Config{Pool: breakingPool(t, url, at, false), Schema: schema})
		for range 3 {
			view(t, breaks, func(tx forge.Tx) error {
				_, err := tx.Locks().List(forge.LockFilter{}, forge.Page{})
				return err
			})
		}
	}
}

// Package pgtest gives tests a real PostgreSQL: one server for each test binary,
// from the programs that are installed, with a schema for each test.
//
// The server is private. It listens on a unix socket alone, runs as an
// unprivileged user, and ends with the test binary, however that ends; its
// directory goes with it. FORGE_TEST_POSTGRES_URL names another one to be used
// instead.
package pgtest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// shared is the server of the test binary, which tests have in common: starting
// one for each test would take longer than the tests.
var shared = sync.OnceValues(func() (*Server, error) { return Open(Options{}) })

// URL is that of a database, for an example, as that has no test.
func URL() (string, error) {
	if url := os.Getenv("FORGE_TEST_POSTGRES_URL"); url != "" {
		return url, nil
	}
	s, err := shared()
	if err != nil {
		return "", err
	}
	return s.URL(), nil
}

// Schema returns the URL of a database, and the name of a schema in it that
// nobody else uses. The schema is not made. It is dropped at the end of the
// test.
func Schema(t testing.TB) (url, schema string) {
	t.Helper()
	url, err := URL()
	require.NoError(t, err, "a PostgreSQL for tests")
	schema = "test_" + strings.ToLower(rand.Text()[:12])
	t.Cleanup(func() { drop(t, url, schema) })
	return url, schema
}

// Pool returns a pool of connections to a database. It is closed at the end of
// the test, and waits then for what has been acquired.
func Pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.WithoutCancel(t.Context()), url)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func drop(t testing.TB, url, schema string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	// A transaction that a test has left open fails it, rather than lasting for ever.
	_, err = conn.Exec(ctx, "SET lock_timeout = '20s'")
	require.NoError(t, err)
	_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE")
	require.NoError(t, err)
}

// RolePool returns a pool whose connections take a role that owns a schema, both of
// the given name, and may make no other.
func RolePool(t testing.TB, url, name string) *pgxpool.Pool {
	t.Helper()
	admin := Pool(t, url)
	quoted := pgx.Identifier{name}.Sanitize()
	exec := func(sql string) {
		_, err := admin.Exec(context.WithoutCancel(t.Context()), sql)
		require.NoError(t, err)
	}
	exec("CREATE ROLE " + quoted)
	t.Cleanup(func() { exec("DROP OWNED BY " + quoted + "; DROP ROLE " + quoted) })
	exec("CREATE SCHEMA " + quoted + " AUTHORIZATION " + quoted)
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET ROLE "+quoted)
		return err
	}
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(t.Context()), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

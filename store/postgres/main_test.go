package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
)

// TestMain names a database for the example, and removes what that makes.
func TestMain(m *testing.M) {
	url, err := pgtest.URL()
	if err == nil {
		err = os.Setenv("DATABASE_URL", url)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		ctx := context.Background()
		conn, err := pgx.Connect(ctx, url)
		if err == nil {
			_, err = conn.Exec(ctx, "DROP SCHEMA IF EXISTS forge_example CASCADE")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}))
}

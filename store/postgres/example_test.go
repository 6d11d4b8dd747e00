package postgres_test

import (
	"context"
	"fmt"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// The store uses the pool of the program that it is in, and a schema of its own
// in that program's database.
func Example() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer pool.Close()

	store, err := postgres.New(postgres.Config{Pool: pool, Schema: "forge_example"})
	if err != nil {
		panic(err)
	}
	defer func() { _ = store.Close() }()       // before the pool
	if err := store.Migrate(ctx); err != nil { // once for each version, by whoever deploys the program
		panic(err)
	}

	f, err := forge.New(forge.Config{Store: store})
	if err != nil {
		panic(err)
	}
	servers, err := f.Servers.List(ctx, forge.ServerFilter{Provider: "hetzner"}, forge.Page{Newest: true})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(servers), "servers")
	// Output: 0 servers
}

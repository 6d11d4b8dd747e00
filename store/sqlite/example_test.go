package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/sqlite"
)

// One file makes one process durable, without any server beside it.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "forge")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	store, err := sqlite.Open(ctx, filepath.Join(dir, "forge.db"))
	if err != nil {
		panic(err)
	}
	defer func() { _ = store.Close() }()

	f, err := forge.New(forge.Config{Store: store})
	if err != nil {
		panic(err)
	}
	servers, err := f.Servers.List(ctx, forge.ServerFilter{}, forge.Page{})
	if err != nil {
		panic(err)
	}
	fmt.Println(len(servers), "servers")
	// Output: 0 servers
}

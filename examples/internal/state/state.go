// Package state is for the examples that are started with -state FILE: what they
// know is in that file, and a program that was killed goes on when it is started
// again.
package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/memory"
	"github.com/seed-797f2c2c/forge/store/sqlite"
)

// State is what a forge.Config needs to outlive the process.
type State struct {
	Store  forge.Store
	Sealer secret.Sealer
	Close  func() error
}

// Open keeps the records in a file, and the keys that seal their secrets in another
// one beside it, which ends in .keys: who has both has every server. They are made
// where they are not there. Without a name, everything is in memory.
func Open(ctx context.Context, file string) (*State, error) {
	if file == "" {
		return &State{Store: memory.New(memory.Config{}), Close: func() error { return nil }}, nil
	}
	keys, err := openKeys(file)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, file)
	if err != nil {
		return nil, err
	}
	return &State{Store: store, Sealer: keys, Close: store.Close}, nil
}

// openKeys makes keys only as long as nothing is sealed.
func openKeys(file string) (*tink.Keyset, error) {
	keys, err := tink.Open(file + ".keys")
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if _, statErr := os.Stat(file); !errors.Is(statErr, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is there, but not the keys of what it holds: %w", file, err)
	}
	if keys, err = tink.New(); err != nil {
		return nil, err
	}
	return keys, keys.Save(file + ".keys")
}

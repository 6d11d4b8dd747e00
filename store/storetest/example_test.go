package storetest_test

import (
	"testing"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/memory"
	"github.com/seed-797f2c2c/forge/store/storetest"
)

// A store's own test is this one function, with its own store in the place of
// the one in memory.
func ExampleTest() {
	testStore := func(t *testing.T) {
		storetest.Test(t, func(*testing.T) forge.Store { return memory.New(memory.Config{}) })
	}
	// go test calls it.
	_ = testStore
}

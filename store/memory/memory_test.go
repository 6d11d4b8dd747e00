package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/memory"
	"github.com/seed-797f2c2c/forge/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Test(t, func(*testing.T) forge.Store { return memory.New(memory.Config{}) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, func(*testing.B) forge.Store { return memory.New(memory.Config{}) })
}

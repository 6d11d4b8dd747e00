package secrettest_test

import (
	"testing"

	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/secrettest"
)

// An adapter's tests call the suite and its benchmarks.
func Example() {
	testSealer := func(t *testing.T) {
		secrettest.Test(t, func(*testing.T) secret.Sealer { return secret.NewEphemeral() }, nil)
	}
	benchmarkSealer := func(b *testing.B) {
		secrettest.Benchmark(b, func(*testing.B) secret.Sealer { return secret.NewEphemeral() })
	}
	_, _ = testSealer, benchmarkSealer
}

package secrettest_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/mutanttest"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/secrettest"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

// TestMutant is the suite on one broken Sealer, in a process of its own.
func TestMutant(t *testing.T) {
	name := mutanttest.Name(t)
	i := slices.IndexFunc(mutants(), func(m mutant) bool { return m.name == name })
	damage := mutants()[i].wrap
	newSealer := func(t *testing.T) secret.Sealer {
		k, err := tink.New()
		require.NoError(t, err)
		return damage(k)
	}
	secrettest.Test(t, newSealer, &secrettest.Options{
		Rotate: func(t *testing.T, s secret.Sealer) secret.Sealer {
			k, err := s.(broken).Rotator.(*tink.Keyset).Rotate()
			require.NoError(t, err)
			return damage(k)
		},
		Again: func(_ *testing.T, s secret.Sealer) secret.Sealer { return damage(s.(broken).Rotator) },
	})
}

func TestTheSuiteFindsDefects(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			r := mutanttest.Run(t, m.name, "-test.timeout=2m", "-rapid.nofailfile")
			if m.fails == nil {
				require.NoError(t, r.Err, r.Output)
			}
			require.Subset(t, r.Failed, m.fails, r.Output)
		})
	}
}

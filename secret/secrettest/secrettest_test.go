package secrettest_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/secrettest"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

// mutantEnv names the broken Sealer that TestMutant runs the suite on.
const mutantEnv = "FORGE_SECRETTEST_MUTANT"

// TestMutant is the suite on one broken Sealer, in a process of its own.
func TestMutant(t *testing.T) {
	name := os.Getenv(mutantEnv)
	if name == "" {
		t.Skip("runs for TestTheSuiteFindsDefects alone")
	}
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
	exe, err := os.Executable()
	require.NoError(t, err)
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestMutant$", "-test.timeout=2m", "-rapid.nofailfile")
			cmd.Env = append(os.Environ(), mutantEnv+"="+m.name)
			out, err := cmd.CombinedOutput()
			var failed []string
			for line := range strings.Lines(string(out)) {
				if _, rest, ok := strings.Cut(line, "--- FAIL: TestMutant/"); ok {
					failed = append(failed, strings.Fields(rest)[0])
				}
			}
			if m.fails == nil {
				require.NoError(t, err, "%s", out)
			}
			require.Subset(t, failed, m.fails, "%s", out)
		})
	}
}

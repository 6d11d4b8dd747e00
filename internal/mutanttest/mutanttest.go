// Package mutanttest holds a conformance suite to finding defects: it runs the
// suite on broken implementations, which are expected to fail it, each in a
// process of its own.
//
// A package has a TestMutant, which runs its suite on the implementation that
// Name names, and another test that calls Run for each of them.
package mutanttest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// env names the implementation to the process that runs TestMutant.
const env = "FORGE_MUTANT"

// Name is the implementation that TestMutant runs the suite on. Without one it
// skips the test.
func Name(t *testing.T) string {
	t.Helper()
	name := os.Getenv(env)
	if name == "" {
		t.Skip("runs for TestTheSuiteFindsDefects alone")
	}
	return name
}

// Result is how the suite ended on an implementation.
type Result struct {
	Output string
	Failed []string // the tests of the suite that failed
	Err    error    // nil where the implementation passed
}

// Run runs TestMutant on an implementation, with further arguments for the test
// binary.
func Run(t *testing.T, name string, args ...string) Result {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"-test.run=^TestMutant$"}, args...)...)
	cmd.Env = append(os.Environ(), env+"="+name)
	out, err := cmd.CombinedOutput()
	r := Result{Output: string(out), Err: err}
	for line := range strings.Lines(r.Output) {
		if _, rest, ok := strings.Cut(line, "--- FAIL: TestMutant/"); ok {
			r.Failed = append(r.Failed, strings.Fields(rest)[0])
		}
	}
	return r
}

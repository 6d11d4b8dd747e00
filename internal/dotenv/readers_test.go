package dotenv_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/dotenv"
)

// reader prints NAME=VALUE and a NUL for each variable of the file "$1" whose
// name begins with E_.
type reader struct {
	needs string // a file of its package
	argv  []string
	fit   func(string) string // makes a value one that it is promised to read; nil for any
}

var readers = map[string]reader{
	"phpdotenv": {"/usr/share/php/Dotenv/autoload.php", []string{"php", "-r", `
		require '/usr/share/php/Dotenv/autoload.php';
		$file = $argv[1];
		foreach (Dotenv\Dotenv::createArrayBacked(dirname($file), basename($file))->load() as $k => $v)
			if (str_starts_with($k, 'E_')) echo $k, '=', $v, "\0";`, "--"}, nil},
	"symfony": {"/usr/share/php/Symfony/Component/Dotenv/autoload.php", []string{"php", "-r", `
		require '/usr/share/php/Symfony/Component/Dotenv/autoload.php';
		foreach ((new Symfony\Component\Dotenv\Dotenv)->parse(file_get_contents($argv[1])) as $k => $v)
			if (str_starts_with($k, 'E_')) echo $k, '=', $v, "\0";`, "--"}, nil},
	"python": {"/usr/lib/python3/dist-packages/dotenv/main.py", []string{"/usr/bin/python3", "-c", `
import sys, dotenv
for k, v in dotenv.dotenv_values(sys.argv[1]).items():
    if k.startswith('E_'): sys.stdout.buffer.write((k + '=' + v).encode() + b'\0')`}, asIs},
	"bash": {"/bin/bash", []string{"/bin/bash", "-euo", "pipefail", "-c", `
		set -a; . "$1"
		for name in "${!E_@}"; do printf '%s=%s\0' "$name" "${!name}"; done`, "bash"}, strings.NewReplacer("\r", "").Replace},
}

// asIs leaves the values out that are not set in single quotes, or that Python
// changes there.
func asIs(value string) string {
	for _, piece := range []string{"'", `\`, "\r", "\n", `="`, "${"} {
		if strings.Contains(value, piece) {
			return ""
		}
	}
	return value
}

// each runs a test for each of the readers that are installed.
func each(t *testing.T, test func(t *testing.T, r reader)) {
	for name, r := range readers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(r.needs); err != nil {
				require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), err.Error())
				t.Skip(err)
			}
			test(t, r)
		})
	}
}

// read returns what the reader makes of a file.
func (r reader) read(t *testing.T, file string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), r.argv[0], append(r.argv[1:len(r.argv):len(r.argv)], file)...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.Empty(t, stderr.String())
	read := map[string]string{}
	for entry := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		name, value, _ := strings.Cut(entry, "=")
		read[name] = value
	}
	return read
}

// nasty are pieces of values that readers are known to stumble over.
var nasty = []string{
	"", "'", `"`, `\`, `\\`, `\n`, `\r`, `\$`, `\"`, `\'`, "\n", "\r", "\r\n", "\t", "\v", "\f", " ", "  ", "#", " #", "=", `="`, `='`, ":",
	"$", "$$", "$(", ")", "$()", "$(id)", "$($(id))", "$x", "${", "}", "${E_0}", "${HOME}", "${x:-y}", "$:-a", "`", "`id`", "%", "!", "!!", "*", "~",
	"&&", "||", ";", "|", "<", ">", "export ", "E_0=", "\u00a0", "\u0085", "\u2028", "é", "日本", "🐘", "👩‍💻", "\ufeff", "\x01", "\x1b[31m", "\x7f", "a", "b c", "0", "null", "true",
}

func values() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom(nasty), 0, 12), func(parts []string) string { return strings.Join(parts, "") }),
		rapid.StringMatching(`[ -~]{0,20}`),
		rapid.Map(rapid.String(), func(s string) string { return strings.ReplaceAll(s, "\x00", "") }),
	)
}

func TestReadersReadWhatWasWritten(t *testing.T) {
	t.Parallel()
	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)
	each(t, func(t *testing.T, r reader) {
		vars := make([]dotenv.Var, 3000)
		for i := range vars {
			vars[i] = dotenv.Var{Name: fmt.Sprintf("E_%d", i), Value: values().Example(seed + i)}
		}
		r.check(t, vars)
	})
}

// Of one line, as a key store is, and of many, as a bundle of certificates is.
// phpdotenv takes minutes for 1 MB with a quote or a # every few bytes.
func TestReadersReadLargeValues(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	each(t, func(t *testing.T, r reader) {
		line := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz+/", 25)
		r.check(t, []dotenv.Var{
			{Name: "E_LINE", Value: strings.Repeat(line, size/len(line)+1)[:size]},
			{Name: "E_LINES", Value: strings.Repeat(line+"\n", size/len(line)+1)[:size]},
			{Name: "E_QUOTES", Value: strings.Repeat(line[:36]+"it's $(\"quoted\\\")\n", 1000)},
			{Name: "E_LAST", Value: "last"},
		})
	})
}

// check writes the variables, fit for the reader, and reads them.
func (r reader) check(t *testing.T, vars []dotenv.Var) {
	t.Helper()
	want := map[string]string{}
	for i := range vars {
		if r.fit != nil {
			vars[i].Value = r.fit(vars[i].Value)
		}
		want[vars[i].Name] = vars[i].Value
	}
	data, err := dotenv.Marshal(vars)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(file, data, 0o600))
	got := r.read(t, file)
	for name, value := range want {
		if got[name] != value { // the whole would be too long to be shown
			require.Equal(t, value[:min(len(value), 500)], got[name][:min(len(got[name]), 500)], name)
		}
	}
	require.Len(t, got, len(want))
}

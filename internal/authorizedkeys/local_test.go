package authorizedkeys_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// place is a directory of this host that stands for root's place on a server. Its
// user is always root, who is on every host.
type place struct {
	dir     string
	replace []string // in the scripts, old and new by turns
}

func newPlace(t testing.TB, replace ...string) *place {
	t.Helper()
	perl(t)
	if os.Geteuid() != 0 {
		const missing = "needs root"
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), missing)
		t.Skip(missing)
	}
	p := &place{dir: filepath.Join(t.TempDir(), "keys")}
	require.NoError(t, os.Mkdir(p.dir, 0o755))
	p.replace = append([]string{"/etc/ssh/authorized_keys.d", p.dir}, replace...)
	return p
}

func perl(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("perl")
	if err != nil {
		const missing = "needs perl: apt-get install perl-base"
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), missing)
		t.Skip(missing)
	}
	return binary
}

func (p *place) file() string { return filepath.Join(p.dir, "root") }

func (p *place) write(t testing.TB, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(p.file(), []byte(text), 0o644))
}

func (p *place) read(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(p.file())
	require.NoError(t, err)
	return string(text)
}

// run runs a command as a server does, but with every warning of perl's, which
// there must not be.
func (p *place) run(t testing.TB, cmd sshexec.Command) (string, error) {
	t.Helper()
	for i := 0; i < len(p.replace); i += 2 {
		require.Contains(t, cmd.Script, p.replace[i])
		cmd.Script = strings.ReplaceAll(cmd.Script, p.replace[i], p.replace[i+1])
	}
	local := exec.CommandContext(t.Context(), perl(t), append([]string{"-Mstrict", "-Mwarnings", "-e", cmd.Script, "--"}, cmd.Args...)...)
	local.Stdin = cmd.Stdin
	var stdout, stderr bytes.Buffer
	local.Stdout, local.Stderr = &stdout, &stderr
	if cmd.Stdout != nil {
		local.Stdout = cmd.Stdout
	}
	err := local.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return stdout.String(), &sshexec.ExitError{ExitCode: exit.ExitCode(), Stderr: stderr.String()}
	}
	require.NoError(t, err)
	require.Empty(t, stderr.String())
	return stdout.String(), nil
}

// apply makes a change, which must not fail, and returns what was done.
func (p *place) apply(t testing.TB, c authorizedkeys.Change) authorizedkeys.Outcome {
	t.Helper()
	c.User = "root"
	cmd, err := c.Command()
	require.NoError(t, err)
	out, err := p.run(t, cmd)
	require.NoError(t, err)
	return outcome(t, out)
}

func outcome(t testing.TB, out string) authorizedkeys.Outcome {
	t.Helper()
	outcomes, err := authorizedkeys.Outcomes([]byte(out))
	require.NoError(t, err, out)
	require.Len(t, outcomes, 1)
	return outcomes[0]
}

func (p *place) requireNothingBeside(t testing.TB) {
	t.Helper()
	entries, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.Contains(t, []string{".lock", "root"}, e.Name())
	}
}

func TestScriptsCompile(t *testing.T) {
	t.Parallel()
	user := []string{"site"}
	for i, make := range []func() (sshexec.Command, error){
		authorizedkeys.Change{User: "site"}.Command,
		authorizedkeys.Change{User: "site", Home: true}.Command,
		authorizedkeys.Changes{{User: "site"}, {User: "site", Home: true}}.Command,
		func() (sshexec.Command, error) { cmd, _, err := authorizedkeys.Read{}.Command(); return cmd, err },
		func() (sshexec.Command, error) {
			cmd, _, err := authorizedkeys.Read{Users: user, Home: true}.Command()
			return cmd, err
		},
	} {
		cmd, err := make()
		require.NoError(t, err)
		begin, rest, ok := strings.Cut(cmd.Script, "our $seldom = <<'SELDOM';\n")
		require.True(t, ok)
		seldom, main, ok := strings.Cut(rest, "\nSELDOM\n")
		require.True(t, ok)
		all := begin + "{ " + seldom + " }\n" + main
		for _, script := range []string{cmd.Script, all} {
			out, err := exec.CommandContext(t.Context(), perl(t), "-Mstrict", "-Mwarnings", "-c", "-e", script).CombinedOutput()
			require.NoError(t, err, string(out))
			require.Equal(t, "-e syntax OK\n", string(out), i)
		}
		require.NotContains(t, cmd.Script, "use ", fmt.Sprintf("command %d: a module costs more than the work", i))
	}
}

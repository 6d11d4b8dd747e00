package sshexec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

const perlSleeps = `$| = 1; print "$$\n"; system "sleep", "60"; sleep 60`

// What a script in perl finds and how its end is told does not depend on who
// runs it and whether it is fenced.
func testPerl(t *testing.T, c *sshexec.Client) {
	home := unixUser(t, "daemon").HomeDir
	for name, tt := range map[string]struct {
		cmd       sshexec.Command
		user, dir string
	}{
		"root":           {sshexec.Command{}, "root", "/root"},
		"daemon":         {sshexec.Command{User: "daemon"}, "daemon", home},
		"root, fenced":   {sshexec.Command{Fence: ownFence(t)}, "root", "/root"},
		"daemon, fenced": {sshexec.Command{Fence: ownFence(t), User: "daemon"}, "daemon", home},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(script string, args ...string) (*sshexec.Result, error) {
				cmd := tt.cmd
				cmd.Perl, cmd.Script, cmd.Args, cmd.Stdin = true, script, args, strings.NewReader("from stdin")
				return c.Run(t.Context(), cmd)
			}
			weird := "it's $HOME `id` \"x\"\n\xff\u00a0-é"
			result, err := run("print <STDIN>;\nprint map {\"|$_\"} @ARGV, $ENV{FORGE_COMMAND} =~ /^\\w+$/ ? 'token' : '';"+
				"$| = 1; system q(pwd; id -un; echo $USER $LOGNAME $HOME $PATH $LC_ALL $PERL_SKIP_LOCALE_INIT) and die", weird, "-n", "", "--")
			require.NoError(t, err)
			require.Equal(t, "from stdin|"+weird+"|-n||--|token"+tt.dir+"\n"+tt.user+"\n"+
				tt.user+" "+tt.user+" "+tt.dir+" /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin C.UTF-8\n", string(result.Stdout))
			require.Empty(t, string(result.Stderr))

			var exit *sshexec.ExitError
			_, err = run("exit 97")
			require.ErrorAs(t, err, &exit)
			require.Equal(t, 97, exit.ExitCode, "a script's own status is no refusal")
			_, err = run("use strict;\n$! = 0; die 'no luck'")
			require.ErrorAs(t, err, &exit)
			require.Equal(t, "no luck at script line 2.", exit.Stderr)
			require.Equal(t, 255, exit.ExitCode)
			_, err = run("use strict;\n\n$undeclared = 1")
			require.ErrorContains(t, err, "line 3")
			_, err = run("print sprintf '%d', $undeclared // 0; kill KILL => $$")
			require.ErrorAs(t, err, &exit)
			if tt.user == "root" {
				require.Equal(t, "KILL", exit.Signal)
			} else {
				require.Equal(t, 128+9, exit.ExitCode, "as runuser tells it")
			}
		})
	}
}

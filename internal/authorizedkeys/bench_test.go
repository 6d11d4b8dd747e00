package authorizedkeys_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// What a command costs a server, in CPU: that is what many commands at once wait
// for.
func BenchmarkCommand(b *testing.B) {
	p := newPlace(b)
	key, revoked := newPair(b), newPair(b)
	others := strings.Repeat(newPair(b).line+" someone\n", 10_000)
	change := func(changes ...authorizedkeys.Change) func() sshexec.Command {
		i := 0
		return func() sshexec.Command {
			c := changes[i%len(changes)]
			i++
			c.User = "root"
			cmd, err := c.Command()
			require.NoError(b, err)
			return cmd
		}
	}
	add, remove := authorizedkeys.Change{Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}}, authorizedkeys.Change{Remove: []string{key.line}}
	for _, test := range []struct {
		name, before string
		next         func() sshexec.Command
	}{
		{"perl alone", "", func() sshexec.Command { return sshexec.Command{Script: "1"} }},
		{"nothing to do", add.Add[0].Line + " forge:k\n", change(add)},
		{"add and remove", "", change(add, remove)},
		{"add and remove in 10,000 lines", others, change(add, remove)},
		{"exact", "", change(authorizedkeys.Change{Add: add.Add, Remove: []string{revoked.line}, Unknown: true}, authorizedkeys.Change{Unknown: true})},
		{"read", add.Add[0].Line + " forge:k\n", func() sshexec.Command {
			cmd, _, err := authorizedkeys.Read{}.Command()
			require.NoError(b, err)
			return cmd
		}},
	} {
		b.Run(test.name, func(b *testing.B) {
			p.write(b, test.before)
			var spent time.Duration
			for b.Loop() {
				cmd := test.next()
				local := exec.CommandContext(b.Context(), perl(b), append([]string{"-e", strings.ReplaceAll(cmd.Script, p.replace[0], p.replace[1]), "--"}, cmd.Args...)...)
				local.Stdin = cmd.Stdin
				out, err := local.CombinedOutput()
				require.NoError(b, err, string(out))
				spent += local.ProcessState.UserTime() + local.ProcessState.SystemTime()
			}
			b.ReportMetric(float64(spent.Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

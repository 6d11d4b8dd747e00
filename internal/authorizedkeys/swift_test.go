package authorizedkeys_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// onlyOrdinary has a script fail when it compiles what is seldom needed.
var onlyOrdinary = []string{"<<'SELDOM';\n", "<<'SELDOM';\ndie 'this is not ordinary';\n"}

// noSwift has all edits made by what is compiled when it is needed.
var noSwift = []string{"sub swift {\n", "sub swift {\n\treturn;\n"}

// What is ordinary costs no more than it must.
func TestOrdinaryEditsCompileNothingElse(t *testing.T) {
	t.Parallel()
	key, other, theirs := newPair(t), newPair(t), newPair(t)
	add := func(k pair, id string) authorizedkeys.Change {
		return authorizedkeys.Change{Add: []authorizedkeys.Key{{ID: id, Line: k.line}}}
	}
	steps := []struct {
		name    string
		change  authorizedkeys.Change
		changes bool
		want    string
	}{
		{"add", add(key, "k"), true, "THEIRS" + key.line + " forge:k\n"},
		{"nothing to add", add(key, "k"), false, "THEIRS" + key.line + " forge:k\n"},
		{"replace", authorizedkeys.Change{Add: add(other, "o").Add, Remove: []string{key.line}}, true, "THEIRS" + other.line + " forge:o\n"},
		{"remove", authorizedkeys.Change{Remove: []string{other.line}}, true, "THEIRS"},
		{"nothing to remove", authorizedkeys.Change{Remove: []string{other.line}}, false, "THEIRS"},
	}
	for name, before := range map[string]string{
		"empty":     "",
		"lines":     "# comment\n\n" + theirs.line + " forge:another\nno-pty " + theirs.line + " they\n",
		"many":      strings.Repeat(theirs.line+" they\n", 10_000),
		"not ASCII": "\xff\x00\n# \xe2\x82\xac\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, onlyOrdinary...)
			p.write(t, before)
			for _, step := range steps {
				require.Equal(t, step.changes, p.apply(t, step.change).Changed(), step.name)
				require.Equal(t, strings.Replace(step.want, "THEIRS", before, 1), p.read(t), step.name)
				p.requireNothingBeside(t)
			}
		})
	}
	t.Run("home", func(t *testing.T) {
		t.Parallel()
		srv := servertest.Start(t)
		newUser(t, srv, "ordinary")
		srv.BashAs(t, "ordinary", `mkdir -p ~/.ssh; echo '# mine' >~/.ssh/authorized_keys`)
		for _, step := range steps {
			step.change.User, step.change.Home = "ordinary", true
			cmd, err := step.change.Command()
			require.NoError(t, err)
			// These machines refuse O_SYNC.
			for _, replace := range [][]string{onlyOrdinary, {"04010301", "0301"}} {
				require.Contains(t, cmd.Script, replace[0])
				cmd.Script = strings.Replace(cmd.Script, replace[0], replace[1], 1)
			}
			cmd.Fence = sshexec.Fence{Key: "ordinary", Epoch: 1}
			out, err := srv.Run(t, cmd)
			require.NoError(t, err)
			require.Equal(t, step.changes, outcome(t, out).Changed(), step.name)
			require.Equal(t, strings.Replace(step.want, "THEIRS", "# mine\n", 1), read(t, srv, "/home/ordinary/.ssh/authorized_keys"))
		}
		require.Equal(t, "authorized_keys ordinary 600\n", srv.Bash(t, `cd /home/ordinary/.ssh; stat -c '%n %U %a' -- $(ls -A)`))
	})
}

// Wherever swift finds that an edit is not ordinary, the edit is made all the same.
func TestWhatIsNotOrdinaryIsDone(t *testing.T) {
	t.Parallel()
	key, theirs := newPair(t), newPair(t)
	const before = "# before\n"
	for _, test := range []struct {
		name, before string
		replace      []string
	}{
		{"another machine", before, []string{"0x3e00 => [316, 14], 0xb700 => [276, 135]", "1 => []"}},
		{"signals cannot be held", before, []string{"sub hold {\n", "sub hold {\n\treturn;\n"}},
		{"signals cannot be held after the lock", before, []string{"sub hold {\n", "sub hold {\n\treturn if $_[0] == 0x4003;\n"}},
		{"not seen", before, []string{"sub glance {\n", "sub glance {\n\tour $glances;\n\treturn if ++$glances == 1;\n"}},
		{"not seen before the exchange", before, []string{"sub glance {\n", "sub glance {\n\tour $glances;\n\treturn if ++$glances == 2;\n"}},
		{"not seen after the exchange", before, []string{"sub glance {\n", "sub glance {\n\tour $glances;\n\treturn if ++$glances == 3;\n"}},
		{"another text after the exchange", before, []string{"sub glance {\n", "sub glance {\n\tour $glances;\n\treturn 'x' if ++$glances == 3;\n"}},
		{"locked", before, []string{"flock $lock, 6 and", "0 and"}},
		{"not written", before, []string{"sub beside {\n", "sub beside {\n\treturn;\n"}},
		{"written in part", before, []string{"(syswrite($out, $text) // -1)", "(syswrite($out, 'x') // -1)"}},
		{"no exchange", before, []string{"sub exchange {\n", "sub exchange {\n\treturn 0;\n"}},
		{"a carriage return", "# before\r\n", nil},
		{"a key to remove with options", before + "no-pty " + theirs.line + "\n", nil},
		{"a key to add with another comment", before + key.line + " they\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			change := authorizedkeys.Change{User: "root", Add: []authorizedkeys.Key{{ID: "k", Line: key.line}}, Remove: []string{theirs.line}}
			cmd, err := change.Command()
			require.NoError(t, err)
			p := newPlace(t, append(test.replace, onlyOrdinary...)...)
			p.write(t, test.before)
			_, err = p.run(t, cmd)
			require.Error(t, err, "it is not ordinary")

			p = newPlace(t, test.replace...)
			p.write(t, test.before)
			p.apply(t, change)
			want := strings.Replace(test.before, "no-pty "+theirs.line+"\n", "", 1)
			if !strings.Contains(want, key.line) {
				want += key.line + " forge:k\n"
			}
			require.Equal(t, want, p.read(t))
			p.requireNothingBeside(t)
			require.False(t, p.apply(t, change).Changed(), "again")
		})
	}
}

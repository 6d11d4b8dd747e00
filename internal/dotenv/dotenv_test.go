package dotenv_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/seed-797f2c2c/forge/internal/dotenv"
)

func TestCommandsAreNotRun(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"'$(id)":              `'\$(id)`,
		`'\$(id)`:             `'${FORGE_BACKSLASH}\$(id)`,
		"'$($(id)) $(x)":      `'\$(${FORGE_DOLLAR}(id)) \$(x)`,
		"'$()":                `'${FORGE_DOLLAR}()`,
		"'$(a()":              `'${FORGE_DOLLAR}(a()`,
		"'$(())$(a(b)c)":      `'${FORGE_DOLLAR}(())\$(a(b)c)`,
		"')$(a":               `')${FORGE_DOLLAR}(a`,
		"'$$(a)$b":            `'${FORGE_DOLLAR}\$(a)${FORGE_DOLLAR}b`,
		"$(in single quotes)": "$(in single quotes)",
	} {
		require.Equal(t, want, dotenv.Spelled(value))
	}
}

func TestMarshal(t *testing.T) {
	t.Parallel()
	data, err := dotenv.Marshal([]dotenv.Var{
		{Name: "APP_ENV", Value: "production"},
		{Name: "EMPTY"},
		{Name: "REGEX", Value: `^\d+ $`},
		{Name: "NAME", Value: `it's "here"`},
		{Name: "KEY", Value: "-----BEGIN\n\\n$x=\n-----END"},
	})
	require.NoError(t, err)
	require.Equal(t, dotenv.Header+`FORGE_BACKSLASH='\'
FORGE_DOLLAR='$'
APP_ENV='production'
EMPTY=''
REGEX='^\d+ $'
NAME="it's \"here\""
KEY="-----BEGIN
${FORGE_BACKSLASH}n${FORGE_DOLLAR}x=
-----END"
`, string(data))
}

func TestMarshalRefuses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "1A", "A-B", "A B", "A=B", "A\n", "Ä", "$A", "export A", "FORGE_DOLLAR", "FORGE_BACKSLASH"} {
		_, err := dotenv.Marshal([]dotenv.Var{{Name: name}})
		require.Error(t, err, name)
	}
	for _, value := range []string{"hush\x00", "hush\xff"} {
		_, err := dotenv.Marshal([]dotenv.Var{{Name: "A", Value: value}})
		require.ErrorContains(t, err, "A is not text")
		require.NotContains(t, err.Error(), "hush")
	}
}

// What comes out parses again to what went in: by the rules that PHP's readers
// have in common, and by a shell.
func FuzzMarshal(f *testing.F) {
	for _, piece := range nasty {
		f.Add(piece, piece+"\n"+piece)
		f.Add("'"+piece, piece+"'\\")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		vars := []dotenv.Var{{Name: "ONE", Value: one}, {Name: "_two2", Value: two}, {Name: "last", Value: one + two}}
		data, err := dotenv.Marshal(vars)
		if strings.Contains(one+two, "\x00") || !utf8.ValidString(one) || !utf8.ValidString(two) {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		got, err := parse(string(data))
		require.NoError(t, err, "%s", data)
		require.Equal(t, vars, got, "%s", data)

		resolved := strings.NewReplacer("${FORGE_DOLLAR}", "$", "${FORGE_BACKSLASH}", `\`)
		for _, v := range vars {
			if spelled := dotenv.Spelled(v.Value); spelled != v.Value {
				require.Empty(t, run(spelled), "%s", spelled)
				require.Empty(t, run(resolved.Replace(spelled)), "%s", spelled)
			}
		}

		got, err = source(string(data))
		require.NoError(t, err, "%s", data)
		for i := range vars {
			if !strings.Contains(vars[i].Value, "\r") {
				require.Equal(t, vars[i], got[i], "%s", data)
			}
		}
	})
}

// parse reads a file of Marshal's and nothing else.
func parse(data string) (vars []dotenv.Var, err error) {
	rest, ok := strings.CutPrefix(data, dotenv.Header)
	if !ok {
		return nil, fmt.Errorf("no header in %q", data)
	}
	known := map[string]string{}
	for rest != "" {
		name, after, ok := strings.Cut(rest, "=")
		if !ok || after == "" {
			return nil, fmt.Errorf("no value in %q", rest)
		}
		var value string
		switch after[0] {
		case '\'':
			value, rest, ok = strings.Cut(after[1:], "'")
		case '"':
			value, rest, ok = quoted(after[1:], known)
		default:
			ok = false
		}
		if rest, after, _ = strings.Cut(rest, "\n"); !ok || rest != "" {
			return nil, fmt.Errorf("no end of the value in %q", data)
		}
		rest = after
		if !dotenv.IsName(name) {
			known[name] = value
			continue
		}
		vars = append(vars, dotenv.Var{Name: name, Value: value})
	}
	return vars, nil
}

// quoted reads up to a closing quote.
func quoted(text string, known map[string]string) (value, rest string, ok bool) {
	var b strings.Builder
	escapes := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\r`, "\r", `\$`, "$")
	for text != "" {
		switch text[0] {
		case '"':
			return b.String(), text[1:], true
		case '\\':
			if len(text) < 2 || !strings.ContainsRune(`\"r$`, rune(text[1])) || text[1] == '$' && command(text[2:]) == 0 {
				return "", "", false
			}
			b.WriteString(escapes.Replace(text[:2]))
			text = text[2:]
		case '$':
			name, after, _ := strings.Cut(text, "}")
			char, found := known[strings.TrimPrefix(name, "${")]
			if !found {
				return "", "", false
			}
			b.WriteString(char)
			text = after
		default:
			b.WriteByte(text[0])
			text = text[1:]
		}
	}
	return "", "", false
}

// command is the length of what a reader that runs commands takes for one, behind
// a dollar; 0 if there is none.
func command(text string) int {
	if !strings.HasPrefix(text, "(") {
		return 0
	}
	for i := 1; i < len(text); {
		switch text[i] {
		case '(':
			n := command(text[i:])
			if n == 0 {
				return 0
			}
			i += n
		case ')':
			if i == 1 {
				return 0
			}
			return i + 1
		default:
			i++
		}
	}
	return 0
}

// run is what a reader runs of a value in double quotes, which resolves the
// variables before it looks for commands.
func run(text string) (commands []string) {
	for i := 0; i < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		n := command(text[i+1:])
		if n == 0 {
			continue
		}
		if i == 0 || text[i-1] != '\\' {
			commands = append(commands, text[i:i+1+n])
		}
		i += n
	}
	return commands
}

// source reads a file as a shell does that runs no command.
func source(data string) (vars []dotenv.Var, err error) {
	file, err := syntax.NewParser().Parse(strings.NewReader(data), "")
	if err != nil {
		return nil, err
	}
	known := map[string]string{}
	env := expand.FuncEnviron(func(name string) string { return known[name] })
	for _, stmt := range file.Stmts {
		call, ok := stmt.Cmd.(*syntax.CallExpr)
		if !ok || len(call.Args) > 0 || len(call.Assigns) != 1 {
			return nil, fmt.Errorf("more than an assignment in line %d", stmt.Pos().Line())
		}
		name := call.Assigns[0].Name.Value
		if known[name], err = expand.Literal(&expand.Config{Env: env, NoUnset: true}, call.Assigns[0].Value); err != nil {
			return nil, err
		}
		if dotenv.IsName(name) {
			vars = append(vars, dotenv.Var{Name: name, Value: known[name]})
		}
	}
	return vars, nil
}

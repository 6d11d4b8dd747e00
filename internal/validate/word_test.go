package validate_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// words are the values that must need no quotes, with examples from which
// others are made.
var words = map[string]struct {
	check    text
	examples []string
}{
	"ServerName":   {validate.ServerName, []string{"web-1", "db.example.com"}},
	"Domain":       {validate.Domain, []string{"example.com", "bücher.de", "xn--bcher-kva.de", "a.co.uk", "例え。jp", "1.2.3.com"}},
	"Address":      {validate.Address, []string{"10.1.2.3", "2001:db8::1", "host", "a.example.com"}},
	"Branch":       {validate.Branch, []string{"main", "feature/x-1", "v1.0+2", "a@b", "a.b/c_d"}},
	"Commit":       {validate.Commit, []string{strings.Repeat("0123456789ABCdef", 4)}},
	"Repository":   {repositoryURL, []string{"git@github.com:acme/app.git", "ssh://git@host:2222/~ann/a%20b", "https://10.1.2.3/a/b"}},
	"WebDirectory": {validate.WebDirectory, []string{"/", "public", "/docs/.vitepress/dist/", "/a_b/c-d"}},
	"UnixUser":     {validate.UnixUser, []string{"forge", "site-1_a"}},
	"Token":        {validate.Token, []string{"s-1vcpu-1gb", "debian-12", "a.b_c"}},
	"LabelKey":     {validate.LabelKey, []string{"env", "example.com/Team_1"}},
	"PHPVersion":   {validate.PHPVersion, []string{"8.2", "7.4"}},
	"Timezone":     {validate.Timezone, []string{"UTC", "Europe/Berlin", "Etc/GMT+3", "America/Port-au-Prince"}},
}

// hostile is what makes trouble in a shell or in a configuration.
const hostile = " \t\n\r\x00;|&$`'\"\\(){}[]<>*?!#=^,\u00a0\u2028\x1b"

// candidate edits examples.
func candidate(examples []string) *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.StringOfN(rapid.RuneFrom([]rune(hostile)), 1, 1, -1),
		rapid.SampledFrom([]string{"-", "--", ".", "..", "/", "//", "~", "%", ":", "@", "@{", "+", "_", ".lock", "0x", "é", "K"}),
		rapid.StringMatching(`[A-Za-z0-9]{1,3}`),
	)
	return rapid.Custom(func(t *rapid.T) string {
		value := rapid.SampledFrom(examples).Draw(t, "example")
		for range rapid.IntRange(0, 3).Draw(t, "edits") {
			at := rapid.IntRange(0, len(value)).Draw(t, "at")
			to := min(len(value), at+rapid.IntRange(0, 2).Draw(t, "removed"))
			value = value[:at] + piece.Draw(t, "inserted") + value[to:]
		}
		return value
	})
}

func TestValuesAreOneWord(t *testing.T) {
	t.Parallel()
	for name, kind := range words {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passed := 0
			rapid.Check(t, func(t *rapid.T) {
				got, err := kind.check("field", candidate(kind.examples).Draw(t, "value"))
				if err != nil {
					return
				}
				passed++
				isOneWord(t, got)
				again, err := kind.check("field", got)
				require.NoError(t, err)
				require.Equal(t, got, again)
			})
			require.Positive(t, passed, "nothing passed, so nothing was tested")
		})
	}
}

// tb is what testing and rapid have in common.
type tb interface {
	require.TestingT
	Helper()
}

// isOneWord checks that a value means itself wherever in a script or in a
// configuration it stands without quotes.
func isOneWord(t tb, value string) {
	t.Helper()
	require.NotEmpty(t, value)
	require.False(t, strings.ContainsAny(value, hostile), "%q", value)
	require.NotEqual(t, byte('-'), value[0])
	// Bash expands a tilde at the beginning of a word and behind a colon.
	require.NotContains(t, strings.ReplaceAll(value, "/~", "/"), "~")
	for _, lang := range []syntax.LangVariant{syntax.LangBash, syntax.LangPOSIX, syntax.LangMirBSDKorn} {
		for _, around := range []string{"x %s y", "x \"%s\" y", "x '%s' y", "V=%s x", "x <%s", "x $(y %s)", "x \"$(y %s)\"", "if x %s; then y; fi",
			"x ${V:-%s}", "case $V in %s) x ;; esac", "for v in %s; do x; done", "x <<EOF\n%s\nEOF\n", "x # %s"} {
			script := fmt.Sprintf(around, value)
			got := literals(t, script, lang)
			want := literals(t, fmt.Sprintf(around, "VALUE"), lang)
			for i := range want {
				want[i] = strings.ReplaceAll(want[i], "VALUE", value)
			}
			require.Equal(t, want, got, "%s: %q", lang, script)
		}
	}
}

// literals lists the kinds of nodes in a script and their literal texts.
func literals(t tb, script string, lang syntax.LangVariant) []string {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(lang), syntax.KeepComments(true)).Parse(strings.NewReader(script), "")
	require.NoError(t, err, "%q", script)
	var out []string
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case nil:
		case *syntax.Lit:
			out = append(out, "literal "+n.Value)
		case *syntax.SglQuoted:
			out = append(out, "quoted "+n.Value)
		case *syntax.Comment:
			out = append(out, "comment "+n.Text)
		default:
			out = append(out, fmt.Sprintf("%T", n))
		}
		return true
	})
	return out
}

// What real shells make of the values is the values.
func TestShellsAgree(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bash", "dash"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shell := tool(t, name)
			rapid.Check(t, func(t *rapid.T) {
				kind := words[rapid.SampledFrom([]string{"Branch", "Repository", "Domain", "WebDirectory"}).Draw(t, "kind")]
				value, err := kind.check("field", candidate(kind.examples).Draw(t, "value"))
				if err != nil {
					return
				}
				script := fmt.Sprintf(`v=%[1]s; set -- %[1]s "$v" "%[1]s" '%[1]s' "$(echo %[1]s)"; printf '%%s\n' "$@"`, value)
				out, err := exec.Command(shell, "-c", script).CombinedOutput()
				require.NoError(t, err, "%s: %s", script, out)
				require.Equal(t, strings.Repeat(value+"\n", 5), string(out))
			})
		})
	}
}

// FuzzWords puts every text to every kind of value.
func FuzzWords(f *testing.F) {
	for _, kind := range words {
		for _, example := range kind.examples {
			f.Add(example)
		}
	}
	for _, seed := range []string{
		"-web", "web_1", "0x7f.1", "x..com", "xn--a.com", "*.a.com", "ｅ.com", "fe80::1%eth0", "1.2.3", "a..b", "a@{b", "-x", "a.lock/b",
		"https://u:p@h/a", "git@-h:a", "ssh://h/../a", "/public/../x", "/-a", "/.git", "www-data", "_apt", "../UTC", "Local",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for name, kind := range words {
			got, err := kind.check("field", in)
			if err != nil {
				var broken *validate.Error
				require.ErrorAs(t, err, &broken, name)
				require.NotContains(t, broken.Error(), "\n", name)
				continue
			}
			isOneWord(t, got)
			again, err := kind.check("field", got)
			require.NoError(t, err, name)
			require.Equal(t, got, again, name)
		}
	})
}

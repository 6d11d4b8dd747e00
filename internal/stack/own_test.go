package stack_test

import (
	"bytes"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/seed-797f2c2c/forge/internal/stack"
)

func TestOwnStepsAreAroundTheStack(t *testing.T) {
	t.Parallel()
	c := bare("debian-12")
	plain, err := stack.Build(c)
	require.NoError(t, err)
	require.Equal(t, "system", plain.Steps[0])

	c.Before = []stack.Step{{Name: "trust our CA", Script: "update-ca-certificates"}}
	c.After = []stack.Step{{Name: "monitoring", Script: "apt-get install agent\r\n", Check: "command -v agent"}, {Name: "report", Script: "true"}}
	c.HTTPProxy, c.AptMirror = "http://proxy:3128", "http://mirror/debian"
	script, err := stack.Build(c)
	require.NoError(t, err)
	want := slices.Concat([]string{"system", "proxy", "proxy of packages", "mirror", "trust our CA"}, plain.Steps[1:], []string{"monitoring", "report"})
	require.Equal(t, want, script.Steps)
	values := read(t, script)
	require.Equal(t, []string{"update-ca-certificates", "apt-get install agent\n", "true"}, values["own_scripts"])
	require.Equal(t, []string{"", "command -v agent", ""}, values["own_checks"])
}

func TestProxiesOfApt(t *testing.T) {
	t.Parallel()
	c := bare("debian-12")
	c.HTTPProxy, c.NoProxy, c.AptMirror = "http://proxy:3128", []string{".corp", "git.corp", "10.0.0.0/8"}, "https://apt.corp/debian"
	require.Equal(t, []string{"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}, slices.Sorted(maps.Keys(c.ProxyEnv())))
	require.Equal(t, "localhost,127.0.0.1,::1,.corp,git.corp,10.0.0.0/8", c.ProxyEnv()["NO_PROXY"])
	script, err := stack.Build(c)
	require.NoError(t, err)
	values := read(t, script)
	require.Equal(t, []string{
		"// Written by forge.",
		`Acquire::http::Proxy "http://proxy:3128";`, `Acquire::http::Proxy::apt.corp "DIRECT";`, `Acquire::http::Proxy::git.corp "DIRECT";`,
		`Acquire::https::Proxy "http://proxy:3128";`, `Acquire::https::Proxy::apt.corp "DIRECT";`, `Acquire::https::Proxy::git.corp "DIRECT";`,
	}, values["apt_proxy"])
	require.Equal(t, []string{"https://apt.corp/debian-security"}, values["security_mirror"])

	c.AptProxy, c.NoProxy = "http://cacher:3142", nil
	script, err = stack.Build(c)
	require.NoError(t, err)
	require.Equal(t, `Acquire::http::Proxy "http://cacher:3142";`, read(t, script)["apt_proxy"][1])
	require.Equal(t, []string{"http://proxy:3128"}, read(t, script)["http_proxy"])
}

// read returns the variables at the beginning of a script as a shell reads them.
func read(t testing.TB, script stack.Script) map[string][]string {
	t.Helper()
	// No value has a newline that is not quoted as \n.
	variables, _, found := bytes.Cut(script.Bytes, []byte("\n# Runs the steps"))
	require.True(t, found)
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(variables), "")
	require.NoError(t, err)
	values := map[string][]string{}
	word := func(w *syntax.Word) string {
		text, err := expand.Literal(&expand.Config{}, w)
		require.NoError(t, err)
		return text
	}
	for _, statement := range file.Stmts {
		declare, ok := statement.Cmd.(*syntax.DeclClause)
		if !ok {
			continue
		}
		for _, assign := range declare.Args {
			switch {
			case assign.Name == nil:
			case assign.Array != nil:
				words := []string{}
				for _, e := range assign.Array.Elems {
					words = append(words, word(e.Value))
				}
				values[assign.Name.Value] = words
			case assign.Value != nil:
				values[assign.Name.Value] = []string{word(assign.Value)}
			}
		}
	}
	return values
}

func badOwn() map[string]func(*stack.Config) {
	own := func(s stack.Step) func(*stack.Config) {
		return func(c *stack.Config) { c.Before = []stack.Step{{Name: "good", Script: "true"}, s} }
	}
	return map[string]func(*stack.Config){
		"stack.before[1].name: is required":                                                 own(stack.Step{Script: "true"}),
		"stack.before[1].name: must be one line of printable text, without space around it": own(stack.Step{Name: "a\nb", Script: "true"}),
		"stack.before[1].name: must have at most 60 characters":                             own(stack.Step{Name: strings.Repeat("ä", 61), Script: "true"}),
		"stack.before[1].script: is required":                                               own(stack.Step{Name: "a"}),
		"stack.before[1].script: must have at most 65536 bytes":                             own(stack.Step{Name: "a", Script: strings.Repeat("a", 65537)}),
		"stack.before[1].script: must not have NUL bytes":                                   own(stack.Step{Name: "a", Script: "a\x00"}),
		"stack.before[1].script: must be UTF-8":                                             own(stack.Step{Name: "a", Script: "a\xff"}),
		"stack.before[1].script: must be bash, and line 2 of it is not":                     own(stack.Step{Name: "a", Script: "true\nif"}),
		"stack.before[1].check: must be bash, and line 1 of it is not":                      own(stack.Step{Name: "a", Script: "true", Check: "("}),
		"stack.after: must be at most 50 steps":                                             func(c *stack.Config) { c.After = make([]stack.Step, 51) },
		"http_proxy: must begin with http:// or https:// and have a host":                   func(c *stack.Config) { c.HTTPProxy = "proxy:3128" },
		"apt_proxy: must have no path":                                                      func(c *stack.Config) { c.AptProxy = "http://proxy/x" },
		"apt_mirror: must not have a query or a fragment":                                   func(c *stack.Config) { c.AptMirror = "http://mirror/?a" },
		"no_proxy: needs a proxy":                                                           func(c *stack.Config) { c.NoProxy = []string{".corp"} },
		"no_proxy[0]: must be a host, a domain such as .example.com, an IP address or a network such as 10.0.0.0/8": func(c *stack.Config) {
			c.HTTPProxy, c.NoProxy = "http://proxy", []string{"a b"}
		},
	}
}

func TestValidateRefusesOwnStepsAndProxies(t *testing.T) {
	t.Parallel()
	for want, change := range badOwn() {
		c := bare("debian-12")
		change(&c)
		_, err := stack.Build(c)
		var field *stack.FieldError
		require.ErrorAs(t, err, &field, want)
		require.Equal(t, want, err.Error())
	}
}

// Whatever is let through, a shell reads as the same words again, in the scripts
// of own steps and in the values of the proxies.
func FuzzScript(f *testing.F) {
	f.Add("a step", "echo '$(id)' \"`id`\"\n", "[[ -e /x ]]", "http://proxy:3128", ".corp", "http://mirror/debian")
	f.Add("it's", "cat <<'E'\n\\\t\r\nE\n", "", "https://[::1]:1", "10.0.0.0/8", "https://a/b_c~d+e")
	f.Add("\u200d", "# \x01\x7f\u2028 é\n:", ":", "", "", "")
	f.Fuzz(func(t *testing.T, name, text, check, proxy, direct, mirror string) {
		c := bare("debian-12")
		c.Before = []stack.Step{{Name: name, Script: text, Check: check}}
		c.After = c.Before
		c.HTTPProxy, c.AptProxy, c.AptMirror = proxy, proxy, mirror
		if direct != "" {
			c.NoProxy = []string{direct}
		}
		script, err := stack.Build(c)
		if err != nil {
			t.Skip()
		}
		c = c.Normalize()
		values := read(t, script)
		require.Equal(t, []string{c.Before[0].Script, c.After[0].Script}, values["own_scripts"])
		require.Equal(t, []string{c.Before[0].Check, c.After[0].Check}, values["own_checks"])
		require.Equal(t, 2, strings.Count("\n"+string(script.Bytes), "\nstep "+mustQuote(t, name)+" own "))
		for key, value := range c.ProxyEnv() {
			require.Equal(t, []string{value}, values[key])
		}
		if mirror != "" {
			require.Equal(t, []string{mirror}, values["mirror"])
		}
	})
}

func mustQuote(t *testing.T, word string) string {
	t.Helper()
	quoted, err := syntax.Quote(word, syntax.LangBash)
	require.NoError(t, err)
	return quoted
}

func TestMirrorTakesThePlaceOfTheArchive(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ os, file, before, after string }{
		"list": {"debian-12", "sources.list", `# main
deb http://archive.example.net/debian bookworm main contrib
deb-src [arch=amd64 signed-by=/x.gpg] https://mirror.example.net/debian/packages bookworm-updates main
deb [arch=amd64  trusted=yes] cdrom:[x]/ bookworm-backports main
deb http://security.example.net/debian-security bookworm-security main
deb https://packages.sury.org/php/ bookworm-php main
`, `# main
deb http://m/debian bookworm main contrib
deb-src [arch=amd64 signed-by=/x.gpg] http://m/debian bookworm-updates main
deb [arch=amd64 trusted=yes] http://m/debian bookworm-backports main
deb http://m/debian-security bookworm-security main
deb https://packages.sury.org/php/ bookworm-php main
`},
		"deb822": {"debian-12", "debian.sources", `Types: deb deb-src
# where from
URIs: mirror+file:///etc/apt/mirrors/debian.list
 http://second/
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://archive.example.net/debian-security
suites:
 bookworm-security
Components: main
`, `Types: deb deb-src
# where from
URIs: http://m/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://m/debian-security
suites:
 bookworm-security
Components: main
`},
		"Ubuntu": {"ubuntu-24.04", "ubuntu.sources", `Types: deb
URIs: http://archive.example.net/ubuntu/
Suites: noble noble-updates noble-backports
Components: main universe

Types: deb
URIs: http://security.example.net/ubuntu/
Suites: noble-security
Components: main universe

Types: deb
URIs: https://esm.ubuntu.com/apps/ubuntu
Suites: noble-apps-security
Components: main
`, `Types: deb
URIs: http://m/debian
Suites: noble noble-updates noble-backports
Components: main universe

Types: deb
URIs: http://m/debian
Suites: noble-security
Components: main universe

Types: deb
URIs: https://esm.ubuntu.com/apps/ubuntu
Suites: noble-apps-security
Components: main
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := bare(test.os)
			c.AptMirror = "http://m/debian"
			script, err := stack.Build(c)
			require.NoError(t, err)
			functions, _, found := bytes.Cut(script.Bytes, []byte("\nstep system system\n"))
			require.True(t, found)
			rewrite := func(text string) string {
				path := t.TempDir() + "/" + test.file
				cmd := exec.CommandContext(t.Context(), "bash", "-s", path)
				cmd.Stdin = strings.NewReader(string(functions) + "\ncat >\"$1\" <<'END'\n" + text + "END\nmirrored \"$1\"\n")
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
				return string(out)
			}
			require.Equal(t, test.after, rewrite(test.before))
			require.Equal(t, test.after, rewrite(test.after))
		})
	}
}

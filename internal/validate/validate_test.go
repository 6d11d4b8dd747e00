package validate_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// text is what most of the functions are.
type text func(field, value string) (string, error)

// accepts checks values and their normal forms.
func accepts(t *testing.T, check text, want map[string]string) {
	t.Helper()
	for in, out := range want {
		got, err := check("field", in)
		require.NoError(t, err)
		require.Equal(t, out, got, "of %q", in)
	}
}

// refuses checks that values break the rule that begins so.
func refuses(t *testing.T, check text, bad map[string]string) {
	t.Helper()
	for in, rule := range bad {
		got, err := check("field", in)
		var broken *validate.Error
		require.ErrorAs(t, err, &broken, "%.80q is let through", in)
		require.Empty(t, got)
		require.Equal(t, "field", broken.Field)
		require.Contains(t, broken.Rule, rule, "of %.80q", in)
		require.True(t, strings.HasPrefix(broken.Error(), "field: "+broken.Rule), broken.Error())
		require.Less(t, len(broken.Error()), 400)
	}
}

// tool finds a program that a test compares with.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), "%s is not installed", name)
		t.Skip(name + " is not installed")
	}
	return path
}

func TestError(t *testing.T) {
	t.Parallel()
	_, err := validate.Domain("domain", "a_b.com")
	require.EqualError(t, err, `domain: must have only letters, digits, dashes and dots, unlike "a_b.com"`)
	_, err = validate.Domain("domain", "a\n.com")
	require.EqualError(t, err, `domain: must have only letters, digits, dashes and dots`)
}

func TestServerName(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	longest := label + "." + label + "." + label + "." + label[:61]
	accepts(t, validate.ServerName, map[string]string{
		"web-1": "web-1", "WEB": "web", "1web": "1web", "db.example.com": "db.example.com", label: label, longest: longest,
	})
	refuses(t, validate.ServerName, map[string]string{
		"":             "is required",
		"-web":         "begin or end a label with a dash",
		"web-":         "begin or end a label with a dash",
		"web_1":        "only letters",
		"web 1":        "only letters",
		"web\n":        "only letters",
		"wéb":          "only letters",
		"\u212Aelvin":  "only letters", // KELVIN SIGN, which lower-cases to k
		"web..x":       "empty label",
		".web":         "empty label",
		"web.":         "empty label",
		"10.0.0.1":     "IP address",
		"web.1":        "IP address",
		label + "a":    "63",
		longest + "a":  "253",
		"$(reboot)":    "only letters",
		"web;reboot":   "only letters",
		"--privileged": "dash",
	})
}

func TestDomain(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 63)
	accepts(t, validate.Domain, map[string]string{
		"example.com":              "example.com",
		"WWW.Example.COM":          "www.example.com",
		"example.com.":             "example.com",
		"bücher.de":                "xn--bcher-kva.de",
		"BÜCHER.de":                "xn--bcher-kva.de",
		"xn--bcher-kva.de":         "xn--bcher-kva.de",
		"straße.de":                "xn--strae-oqa.de",
		"例え。jp":                    "xn--r8jz45g.jp",
		"ｅｘａｍｐｌｅ.com":              "example.com",
		"\u212Aelvin.com":          "kelvin.com",
		"a.github.io":              "a.github.io",
		"shop.co.uk":               "shop.co.uk",
		"app.test":                 "app.test",
		"app.internal":             "app.internal",
		"1password.com":            "1password.com",
		"1.2.3.com":                "1.2.3.com",
		"deadbeef.cafe":            "deadbeef.cafe",
		label + ".com":             label + ".com",
		"xn--fiqs8s.xn--fiqs8s":    "xn--fiqs8s.xn--fiqs8s",
		"a.b.c.d.e.f.g.example.nl": "a.b.c.d.e.f.g.example.nl",
	})
	refuses(t, validate.Domain, map[string]string{
		"":                              "is required",
		".":                             "is required",
		"localhost":                     "must have a dot",
		"com":                           "must have a dot",
		"1.2.3.4":                       "IP address",
		"1.2.3":                         "IP address",
		"127.1":                         "IP address",
		"0x7f.1":                        "IP address",
		"0x7f.0x1":                      "IP address",
		"0X7F.0X":                       "IP address",
		"example.0x":                    "IP address",
		"1.2.3.4.":                      "IP address",
		"１.２.３.４":                       "IP address",
		"::1":                           "IP address",
		"[::1]":                         "IP address",
		"fe80::1%eth0":                  "IP address",
		"co.uk":                         "public suffix",
		"github.io":                     "public suffix",
		"foo.ck":                        "public suffix",
		"x..com":                        "empty label",
		".example.com":                  "empty label",
		"example.com..":                 "empty label",
		label + "a.com":                 "63",
		strings.Repeat("ab.", 90):       "253",
		strings.Repeat("x", 1<<20):      "253",
		"a_b.com":                       "only letters",
		"_dmarc.example.com":            "only letters",
		"exa mple.com":                  "only letters",
		" example.com":                  "only letters",
		"example.com\n":                 "only letters",
		"example.com\x00":               "only letters",
		"-example.com":                  "dash",
		"example-.com":                  "dash",
		"example.-com":                  "dash",
		"*.example.com":                 "wildcard",
		"example.com/path":              "only letters",
		"example.com:80":                "only letters",
		"https://example.com":           "only letters",
		"user@example.com":              "only letters",
		"example.com;":                  "only letters",
		"$(id).com":                     "only letters",
		"a{b}.com":                      "only letters",
		"a..bücher.de":                  "empty label",
		"ab--cd.com":                    "international",
		"xn--a.com":                     "international",
		"xn--example-.com":              "dash",
		"ü\u202e.com":                   "international",
		"\xff.com":                      "international",
		"a\u200db.com":                  "international", // a joiner that joins nothing
		"אa.com":                        "international", // mixed directions
		strings.Repeat("ü", 63) + ".de": "63",
	})
}

func TestAliases(t *testing.T) {
	t.Parallel()
	got, err := validate.Aliases("aliases", "example.com", []string{"WWW.example.com", "bücher.de"})
	require.NoError(t, err)
	require.Equal(t, []string{"www.example.com", "xn--bcher-kva.de"}, got)
	got, err = validate.Aliases("aliases", "example.com", nil)
	require.NoError(t, err)
	require.Empty(t, got)

	for rule, in := range map[string][]string{
		`aliases[1]: must not be the domain itself, unlike "EXAMPLE.com."`: {"a.example.com", "EXAMPLE.com."},
		`aliases[1]: must not be given twice, unlike "A.example.com"`:      {"a.example.com", "A.example.com"},
		`aliases[0]: must not be an IP address, unlike "1.2.3.4"`:          {"1.2.3.4"},
		`aliases[0]: is required`:                                          {""},
		`aliases: must be at most`:                                         make([]string, validate.MaxAliases+1),
	} {
		_, err := validate.Aliases("aliases", "example.com", in)
		require.ErrorContains(t, err, rule)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	accepts(t, validate.Address, map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:DB8::1": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1",
		"localhost": "localhost", "Host.Example.com": "host.example.com",
	})
	refuses(t, validate.Address, map[string]string{
		"": "is required", "192.0.2": "IP address", "fe80::1%eth0": "zone", "[::1]": "only letters", "-oProxyCommand=x": "only letters",
		"-host": "dash", "host:22": "only letters", "a b": "only letters",
	})
}

func TestPort(t *testing.T) {
	t.Parallel()
	for _, port := range []int{1, 22, 65535} {
		got, err := validate.Port("port", port)
		require.NoError(t, err)
		require.Equal(t, port, got)
	}
	for _, port := range []int{-1, 0, 65536} {
		_, err := validate.Port("port", port)
		require.EqualError(t, err, "port: must be a port between 1 and 65535")
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	accepts(t, validate.DisplayName, map[string]string{
		" Ann's laptop ": "Ann's laptop", "ключ 👩\u200d💻": "ключ 👩\u200d💻", strings.Repeat("ä", 255): strings.Repeat("ä", 255),
	})
	refuses(t, validate.DisplayName, map[string]string{
		"": "is required", " \t": "is required", "a\nb": "printable", "a\x1b[2J": "printable", "a\u202eb": "printable",
		"a\xffb": "printable", strings.Repeat("ä", 256): "255",
	})
	accepts(t, validate.IdempotencyKey, map[string]string{"a-1:x/{}": "a-1:x/{}", strings.Repeat("k", 255): strings.Repeat("k", 255)})
	refuses(t, validate.IdempotencyKey, map[string]string{"": "is required", "a b": "printable", "ä": "printable", strings.Repeat("k", 256): "255"})
	accepts(t, validate.Owner, map[string]string{"team/12": "team/12"})
	refuses(t, validate.Owner, map[string]string{"": "is required", "a\n": "printable"})
	accepts(t, validate.LabelKey, map[string]string{"example.com/env": "example.com/env", "a": "a"})
	refuses(t, validate.LabelKey, map[string]string{"": "empty", "-a": "letters", "a-": "letters", "a b": "letters", strings.Repeat("a", 64): "63"})
	accepts(t, validate.LabelValue, map[string]string{"": "", "Prod_1": "Prod_1"})
	refuses(t, validate.LabelValue, map[string]string{"a=b": "letters", "a\n": "letters", "ä": "letters"})
	accepts(t, validate.Token, map[string]string{"s-1vcpu-1gb": "s-1vcpu-1gb", "debian-12": "debian-12", "fsn1.x_y": "fsn1.x_y"})
	refuses(t, validate.Token, map[string]string{"": "is required", "-x": "lower-case", "../x": "lower-case", "A": "lower-case",
		"a b": "lower-case", "a\n": "lower-case", strings.Repeat("a", 65): "64"})
	accepts(t, validate.PHPVersion, map[string]string{"8.2": "8.2", "7.4": "7.4", "8.10": "8.10"})
	refuses(t, validate.PHPVersion, map[string]string{"": "8.2", "8": "8.2", "8.2.1": "8.2", "v8.2": "8.2", "8.2\n": "8.2", "-8.2": "8.2", "0.1": "8.2"})
	accepts(t, validate.Timezone, map[string]string{"UTC": "UTC", "Europe/Berlin": "Europe/Berlin", "America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires", "Etc/GMT+3": "Etc/GMT+3"})
	refuses(t, validate.Timezone, map[string]string{"": "is required", "Local": "time zone", "Europe/Atlantis": "time zone", "../etc/passwd": "time zone",
		"/etc/localtime": "time zone", "Europe/../UTC": "time zone", "UTC\n": "time zone", "-x": "time zone"})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	accepts(t, validate.DeployScript, map[string]string{
		"git pull\r\nmake\r\n":     "git pull\nmake\n",
		"echo $(x) # 'ä'":          "echo $(x) # 'ä'",
		strings.Repeat("x", 1<<20): strings.Repeat("x", 1<<20),
	})
	for name, check := range map[string]text{"script": validate.DeployScript, "command": validate.Command} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refuses(t, check, map[string]string{
				"": "is required", "\r\n\t ": "is required", "a\x00b": "NUL", "a\xffb": "UTF-8", strings.Repeat("x", 1<<20+1): "bytes",
			})
		})
	}
	_, err := validate.Command("command", "mysql -phunter2 \x00")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestUnixUser(t *testing.T) {
	t.Parallel()
	accepts(t, validate.UnixUser, map[string]string{"forge": "forge", "site-1_a": "site-1_a", strings.Repeat("a", 32): strings.Repeat("a", 32)})
	refuses(t, validate.UnixUser, map[string]string{
		"": "is required", "Forge": "lower-case", "1a": "lower-case", "-a": "lower-case", "a b": "lower-case", "a:b": "lower-case",
		"a/b": "lower-case", "a.b": "lower-case", "a$": "lower-case", "a\n": "lower-case", "ä": "lower-case", "_apt": "lower-case",
		strings.Repeat("a", 33): "32",
		"root":                  "system", "www-data": "system", "daemon": "system", "sudo": "system", "docker": "system", "systemd-network": "system",
	})
}

func TestWebDirectory(t *testing.T) {
	t.Parallel()
	accepts(t, validate.WebDirectory, map[string]string{
		"/": "/", "/public": "/public", "public": "/public", "/public/": "/public", "//a//b/": "/a/b", "/a/./b": "/a/b", ".": "/",
		"/docs/.vitepress/dist": "/docs/.vitepress/dist", "/a..b": "/a..b", "/web_2.0-x": "/web_2.0-x",
	})
	refuses(t, validate.WebDirectory, map[string]string{
		"": "is required", "..": "..", "/..": "..", "/public/..": "..", "/a/../../etc": "..", "/-rf": "dash", "/a b": "letters",
		"/a\n": "letters", "/a;b": "letters", "/a{b": "letters", "/a}": "letters", "/$a": "letters", `/a"`: "letters", "/a'": "letters",
		`/a\b`: "letters", "/a#": "letters", "/ä": "letters", "/*": "letters", "/~root": "letters", "/a\x00": "letters", "/`id`": "letters",
		"/.git": "repository", "/a/.git/hooks": "repository", strings.Repeat("/a", 200): "255",
	})
}

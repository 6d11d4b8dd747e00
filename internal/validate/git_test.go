package validate_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

func TestBranch(t *testing.T) {
	t.Parallel()
	for _, branch := range []string{"main", "feature/x-1", "release/1.0+build.5", "v1.2.3", "8.x", "refs/heads/main", "user@host", "_x", "a/@b", "a/-b",
		strings.Repeat("a", 200)} {
		accepts(t, validate.Branch, map[string]string{branch: branch})
	}
	refuses(t, validate.Branch, map[string]string{
		"": "is required", "HEAD": "HEAD", strings.Repeat("a", 201): "200",
		// What git check-ref-format refuses.
		"a..b": "two dots", "a.": "end with a dot", ".a": "first", "a/.b": "begins with a dot", "a.lock": ".lock", "a.lock/b": ".lock",
		"/a": "first", "a/": "slash", "a//b": "slash", "@": "first", "a@{b": "letters", "a b": "letters", "a~b": "letters", "a^b": "letters",
		"a:b": "letters", "a?b": "letters", "a*b": "letters", "a[b": "letters", `a\b`: "letters", "a\x7fb": "letters", "a\x01b": "letters",
		"a\n": "letters", "-a": "first", "--upload-pack=x": "letters",
		// What git permits and a script would not take as it is.
		"+main": "first", "@/etc/passwd": "first", "a;b": "letters", "a$b": "letters", "$(id)": "letters", "`id`": "letters", "a|b": "letters",
		"a&b": "letters", "a>b": "letters", "a<b": "letters", "a'b": "letters", `a"b`: "letters", "a(b": "letters", "a{b": "letters",
		"a!b": "letters", "#a": "letters", "a#b": "letters", "a=b": "letters", "a%b": "letters", "a,b": "letters", "ä": "letters", "a\u00a0b": "letters",
	})
}

func TestCommit(t *testing.T) {
	t.Parallel()
	sha1, sha256 := strings.Repeat("0aF", 13)+"1", strings.Repeat("0aF1", 16)
	accepts(t, validate.Commit, map[string]string{sha1: strings.ToLower(sha1), sha256: strings.ToLower(sha256)})
	refuses(t, validate.Commit, map[string]string{"": "full hash", "abc123": "full hash", sha1 + "0": "full hash", sha1[1:] + "g": "full hash",
		sha1 + "\n": "full hash", "-" + sha1[1:]: "full hash"})
}

func TestRepository(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]validate.Repo{
		"git@github.com:acme/app.git":              {URL: "git@github.com:acme/app.git", Scheme: "ssh", User: "git", Host: "github.com", Port: 22},
		"git@GitHub.com:acme/app/":                 {URL: "git@github.com:acme/app", Scheme: "ssh", User: "git", Host: "github.com", Port: 22},
		"git@192.0.2.1:/srv/git/app.git":           {URL: "git@192.0.2.1:/srv/git/app.git", Scheme: "ssh", User: "git", Host: "192.0.2.1", Port: 22},
		"git@ssh.dev.azure.com:v3/acme/My%20App/x": {URL: "git@ssh.dev.azure.com:v3/acme/My%20App/x", Scheme: "ssh", User: "git", Host: "ssh.dev.azure.com", Port: 22},
		"ssh://git@example.com:2222/acme/app.git":  {URL: "ssh://git@example.com:2222/acme/app.git", Scheme: "ssh", User: "git", Host: "example.com", Port: 2222},
		"SSH://example.com/app":                    {URL: "ssh://example.com/app", Scheme: "ssh", Host: "example.com", Port: 22},
		"ssh://git@git.sr.ht/~ann/app":             {URL: "ssh://git@git.sr.ht/~ann/app", Scheme: "ssh", User: "git", Host: "git.sr.ht", Port: 22},
		"https://github.com/acme/app.git":          {URL: "https://github.com/acme/app.git", Scheme: "https", Host: "github.com", Port: 443},
		"https://git:8443/app":                     {URL: "https://git:8443/app", Scheme: "https", Host: "git", Port: 8443},
		"https://github.com:0443/a@b/c+d":          {URL: "https://github.com:443/a@b/c+d", Scheme: "https", Host: "github.com", Port: 443},
	} {
		got, err := validate.Repository("repository", in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	refuses(t, repositoryURL, map[string]string{
		"":                                       "is required",
		"https://x/" + strings.Repeat("a", 2000): "1024",
		"http://github.com/acme/app":             "begin with ssh:// or https://",
		"git://github.com/acme/app":              "begin with ssh:// or https://",
		"ſſh://github.com/acme/app":              "begin with ssh:// or https://",
		"file:///etc":                            "begin with ssh:// or https://",
		"ext::sh -c id":                          "begin with ssh:// or https://",
		"/srv/git/app.git":                       "begin with ssh:// or https://",
		"github.com:acme/app":                    "begin with ssh:// or https://",
		"--upload-pack=id":                       "begin with ssh:// or https://",
		"https://":                               "begin with ssh:// or https://",
		"https://github.com":                     "begin with ssh:// or https://",
		"https://[::1]/app":                      "begin with ssh:// or https://",
		"https:///app":                           "begin with ssh:// or https://",
		"https://github.com/":                    "path",
		"git@-oProxyCommand=id:app":              "host",
		"git@-host:app":                          "host",
		"ssh://git@-host/app":                    "host",
		"ssh://-oProxyCommand=id/app":            "host",
		"git@exa_mple.com:app":                   "host",
		"git@127.1:app":                          "host",
		"git@a$(id).com:app":                     "host",
		"git@a.com\n:app":                        "host",
		"-git@host:app":                          "user name",
		"g$it@host:app":                          "user name",
		"ssh://git:pass@host/app":                "credentials",
		"https://token@github.com/app":           "credentials",
		"https://u:hunter2@github.com/app":       "credentials",
		"https://@github.com/app":                "credentials",
		"https://github.com/app?x=1":             "query",
		"https://github.com/app#x":               "fragment",
		"ssh://git@host:0/app":                   "port",
		"ssh://git@host:65536/app":               "port",
		"ssh://git@host:99999999999999999/a":     "port",
		"git@host:../app":                        "path",
		"git@host:a/../../b":                     "path",
		"git@host:./app":                         "path",
		"git@host:-x/app":                        "path",
		"git@host:a//b":                          "path",
		"git@host:~ann/app":                      "path",
		"git@host:a b":                           "path",
		"git@host:a;id":                          "path",
		"git@host:$(id)":                         "path",
		"git@host:a'b":                           "path",
		"git@host:a\\b":                          "path",
		"git@host:ä":                             "path",
		"https://host/%2e%2e/a":                  "path",
		"https://host/a%0ab":                     "path",
		"https://host/a\nb":                      "begin with ssh:// or https://",
		"https://host/a\x00":                     "path",
		"https://host/a\tb":                      "path",
	})
	_, err := validate.Repository("repository", "https://u:hunter2@github.com/app")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestRepositoryUser(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"git", "oauth2", "x-token-auth", "gitlab+deploy-token-1", "ada@example.org", "_x", strings.Repeat("a", 255)} {
		accepts(t, validate.RepositoryUser, map[string]string{user: user})
	}
	const rule = "must have at most 255 letters"
	refuses(t, validate.RepositoryUser, map[string]string{
		"": rule, "-x": rule, "@x": rule, "a b": rule, "a:b": rule, "a\nb": rule, "a\x00": rule, "$(id)": rule, "ä": rule,
		strings.Repeat("a", 256): rule,
	})
}

func TestRepositoryToken(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"ghp_0123", "a b", `"'$(id)\%s`, "ü", strings.Repeat("a", validate.MaxToken)} {
		accepts(t, validate.RepositoryToken, map[string]string{token: token})
	}
	refuses(t, validate.RepositoryToken, map[string]string{
		"": "is required", strings.Repeat("a", validate.MaxToken+1): "4096",
		"a\n": "one line", "a\rb": "one line", "a\x00": "one line", "\x1b[m": "one line", "\xff": "one line", "\u0085": "one line",
	})
	_, err := validate.RepositoryToken("token", "hunter2\n")
	require.NotContains(t, err.Error(), "hunter2")
}

// repositoryURL is validate.Repository as most functions are.
func repositoryURL(field, value string) (string, error) {
	r, err := validate.Repository(field, value)
	return r.URL, err
}

// Git itself accepts every branch that passes.
func TestBranchAgreesWithGit(t *testing.T) {
	t.Parallel()
	git := tool(t, "git")
	refs := rapid.OneOf(
		rapid.StringMatching(`[A-Za-z0-9_@.+/-]{1,12}`),
		rapid.StringMatching(`[a.@/-]{1,6}(\.lock)?(/[a.@-]{0,4}(\.lock)?)?`),
	).Filter(func(s string) bool { _, err := validate.Branch("branch", s); return err == nil })
	rapid.Check(t, func(t *rapid.T) {
		ref := refs.Draw(t, "ref")
		out, err := exec.Command(git, "check-ref-format", "--branch", ref).CombinedOutput()
		require.NoError(t, err, "%s: %s", ref, out)
		require.Equal(t, ref+"\n", string(out))
	})
}

package git

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// helper is what git runs by a shell to log in. The token is in its environment
// and nowhere else, as everybody may read arguments.
const helper = `!f() { if [ "$1" = get ]; then printf 'username=%s\npassword=%s\n' "$FORGE_GIT_LOGIN" "$FORGE_GIT_TOKEN"; fi; }; f`

var loginPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,254}$`)

// credentials is the environment by which git, and git-lfs through it, logs in
// to the host of the repository. Another host, to which a submodule, a redirect
// or an LFS server may lead, gets nothing.
func (r Repo) credentials() map[string]string {
	if r.Token.Empty() {
		return nil
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(r.URL, "https://"), "/")
	key := "credential.https://" + host + ".helper"
	return map[string]string{
		"GIT_CONFIG_COUNT": "2",
		// Nothing takes away the helpers that the user has set but an empty
		// one. They could store the token.
		"GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": "",
		"GIT_CONFIG_KEY_1": key, "GIT_CONFIG_VALUE_1": helper,
		"FORGE_GIT_LOGIN": r.Login,
		"FORGE_GIT_TOKEN": r.Token.Reveal(),
	}
}

// checkCredentials never shows the token.
func (r Repo) checkCredentials() error {
	switch {
	case r.Token.Empty():
		return nil
	case !strings.HasPrefix(r.URL, "https://"):
		return fmt.Errorf("repository %q: a token is for https alone", r.URL)
	case !loginPattern.MatchString(r.Login):
		return fmt.Errorf("repository %q: %q is not the name of a login", r.URL, r.Login)
	case strings.ContainsFunc(r.Token.Reveal(), unicode.IsControl):
		return fmt.Errorf("repository %q: the token has control characters", r.URL)
	}
	return nil
}

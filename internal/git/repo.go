package git

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"strings"

	"github.com/seed-797f2c2c/forge/secret"
)

// Repo is a repository and its working copy on the server.
type Repo struct {
	URL        string // ssh://, https:// or user@host:path
	Branch     string
	User       string // unix user
	Dir        string // working copy, the user's own
	Key        string // private half of the deploy key
	KnownHosts string // file with the host keys of git servers

	// Login and Token are what an https repository is reached with. Without a
	// Token it is a public one.
	Login string
	Token secret.Secret
}

// Env is the environment in which git reaches the repository: it never asks,
// offers the deploy key alone, trusts the known host keys alone, and logs in
// with the token. It is meant for deploy scripts too, and holds a secret.
func (r Repo) Env() map[string]string {
	env := map[string]string{
		"GIT_SSH_COMMAND": "ssh -F /dev/null -i " + r.Key +
			" -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes" +
			" -o StrictHostKeyChecking=yes -o UserKnownHostsFile=" + r.KnownHosts +
			" -o ConnectTimeout=15 -o ServerAliveInterval=15",
		"GIT_TERMINAL_PROMPT":      "0",
		"GIT_HTTP_LOW_SPEED_LIMIT": "1",
		"GIT_HTTP_LOW_SPEED_TIME":  "30",
	}
	maps.Copy(env, r.credentials())
	return env
}

const (
	login = `[A-Za-z0-9_][A-Za-z0-9_.-]*`
	host  = `([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])`
	rest  = `[^\s\x00-\x1f\x7f]*`
)

var (
	userPattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	pathPattern = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`) // one word in GIT_SSH_COMMAND
	// A host or a path that begins with a dash would be an option, and what
	// stands before the @ of an https URL is a secret.
	urlPattern  = regexp.MustCompile(`^(https://|ssh://(` + login + `@)?)` + host + `(:[0-9]{1,5})?/` + rest + `$|^` + login + `@` + host + `:[^-\s]` + rest + `$`)
	hashPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

func (r Repo) check() error {
	if !urlPattern.MatchString(r.URL) {
		return fmt.Errorf("repository %q: it must be ssh, https or user@host:path", r.URL)
	}
	if !isBranch(r.Branch) {
		return fmt.Errorf("repository %q: %q is not the name of a branch", r.URL, r.Branch)
	}
	if err := r.checkCredentials(); err != nil {
		return err
	}
	if !isUser(r.User) {
		return fmt.Errorf("repository %q: git must not run as %q", r.URL, r.User)
	}
	for _, p := range []string{r.Dir, r.Key, r.KnownHosts} {
		if !isPath(p) {
			return fmt.Errorf("repository %q: %q is not a clean absolute path", r.URL, p)
		}
	}
	return nil
}

func isUser(name string) bool { return userPattern.MatchString(name) && name != "root" }

func isPath(p string) bool { return pathPattern.MatchString(p) && path.Clean(p) == p }

// isBranch has those rules of git-check-ref-format that keep a branch from
// being an option, another ref or several of them.
func isBranch(name string) bool {
	return name != "" && !strings.HasPrefix(name, "-") && !strings.HasPrefix(name, "/") &&
		!strings.HasSuffix(name, "/") && !strings.HasSuffix(name, ".lock") &&
		!strings.Contains(name, "..") && !strings.Contains(name, "@{") &&
		!strings.ContainsFunc(name, func(r rune) bool {
			return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r)
		})
}

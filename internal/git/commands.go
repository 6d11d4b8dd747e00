package git

import (
	_ "embed"
	"fmt"
	"maps"
	"strings"

	"github.com/seed-797f2c2c/forge/sshexec"
)

var (
	//go:embed lib.sh
	lib string
	//go:embed access.sh
	access string
	//go:embed fetch.sh
	fetch string
	//go:embed clone.sh
	clone string
	//go:embed submodules.sh
	submodules string
)

// CheckAccess returns the command that asks the git server for the head of the
// branch, as the site's user and within 47 s. [ParseHead] reads its output and
// [Explain] its failure.
func (r Repo) CheckAccess() (sshexec.Command, error) {
	return r.command(access)
}

// Fetch returns the command that fetches the branch into the working copy,
// within 5 minutes, and says which commit is to be deployed: the given one of
// that branch, in full, or the newest where commit is empty. It changes no
// file that is checked out. [ParseCommit] reads its output and [Explain] its
// failure.
func (r Repo) Fetch(commit string) (sshexec.Command, error) {
	if commit != "" && !hashPattern.MatchString(commit) {
		return sshexec.Command{}, fmt.Errorf("repository %q: %q is not the whole hash of a commit", r.URL, commit)
	}
	return r.command(submodules+fetch, commit)
}

// Clone returns a detached run, without its ID, that clones the branch into
// the working copy's directory. That has to exist and hold no file, unless
// they are of a clone that was ended before its time. Where the clone exists
// the run changes nothing.
func (r Repo) Clone() (sshexec.RunSpec, error) {
	if err := r.check(); err != nil {
		return sshexec.RunSpec{}, err
	}
	env := r.Env()
	maps.Copy(env, map[string]string{"FORGE_GIT_URL": r.URL, "FORGE_GIT_BRANCH": r.Branch})
	return sshexec.RunSpec{Script: []byte(submodules + clone), User: r.User, Dir: r.Dir, Env: env}, nil
}

// command returns a command of the site's user; lib.sh takes the first
// arguments, and the environment from stdin, where nobody else sees it.
func (r Repo) command(script string, args ...string) (sshexec.Command, error) {
	if err := r.check(); err != nil {
		return sshexec.Command{}, err
	}
	var env strings.Builder
	for name, value := range r.Env() {
		env.WriteString(name + "=" + value + "\x00")
	}
	return sshexec.Command{
		User:   r.User,
		Script: lib + script,
		Args:   append([]string{r.URL, r.Branch, r.Dir}, args...),
		Stdin:  strings.NewReader(env.String()),
	}, nil
}

package sitectl

import (
	_ "embed"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/userprocs"
	"github.com/seed-797f2c2c/forge/sshexec"
)

var (
	//go:embed lib.sh
	lib string
	//go:embed create.sh
	create string
	//go:embed delete.sh
	remove string
)

// Create returns the command that makes the site, or changes it to what is
// described: a pool for another version of PHP is replaced by one of this
// version, and no request is lost. It prints a line for
// everything that it changed, and nothing when all was there. It returns when
// nginx and FPM serve the site; when they refuse it, their configuration is
// what it was before. Its failures are told apart by [Explain].
func Create(s Site) (sshexec.Command, error) {
	if err := s.check(); err != nil {
		return sshexec.Command{}, err
	}
	vhost, pool, err := s.configs()
	if err != nil {
		return sshexec.Command{}, err
	}
	hosts, err := git.KnownHosts(s.KnownHosts)
	if err != nil {
		return sshexec.Command{}, err
	}
	p := s.Paths()
	shared := ""
	if s.User == SharedUser {
		shared = p.Site
	}
	return sshexec.Command{Script: lib + create, Args: []string{
		s.ID, s.User, p.Home, p.Web, p.State, line(hosts),
		p.Vhost, line(vhost), p.Pool, line(pool), p.Socket, p.FPM, p.FPMService, p.Logs, shared,
	}}, nil
}

// Delete returns the command that removes what Create made for the site: the
// virtual host and the pool first, then every process of the user, the home
// and the user. Of the SharedUser, the site's directory and deploy key alone are
// removed. Only ID and User of the site matter. It prints a line for
// everything that it removed. Its failures are told apart by [Explain].
func Delete(s Site) (sshexec.Command, error) {
	if !idPattern.MatchString(s.ID) || !userPattern.MatchString(s.User) {
		return sshexec.Command{}, s.check()
	}
	p := s.Paths()
	return sshexec.Command{Script: lib + userprocs.Script() + remove, Args: []string{p.State, p.Logs, p.Keys, s.User, p.DeployKey}}, nil
}

// line leaves the last newline to the script.
func line(config []byte) string { return strings.TrimSuffix(string(config), "\n") }

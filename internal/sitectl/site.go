package sitectl

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/internal/phpfpm"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// Site describes a site as its server has to know it.
type Site struct {
	ID           string // lower-case letters, digits and dashes
	User         string // unix user: the site's own, or SharedUser
	Directory    string // name of the site's directory in the user's home
	WebDirectory string // below that, as "/public"; may be empty
	Kind         nginx.Kind
	Names        []string // domain and aliases
	PHPVersion   string   // as "8.3"; for PHP alone
	Upstream     string   // where the site's program listens; for Proxy alone
	KnownHosts   string   // host keys of the git server, in known_hosts format
}

// SharedUser is the unix user whom sites share. The stack makes the user.
const SharedUser = "forge"

// Paths are the places of a site on its server. Those for PHP are empty
// without a PHPVersion.
type Paths struct {
	Home       string // of the user
	Site       string // where the repository is cloned
	Web        string // what nginx serves
	DeployKey  string // private half
	State      string // directory of root's with what is known of the site
	KnownHosts string // host keys of git servers, root's
	Vhost      string
	Logs       string // prefix of nginx's logs
	Keys       string // authorized keys of the user, root's
	Pool       string // configuration of the FPM pool
	Socket     string // of the FPM pool
	FPM        string // name of the FPM binary
	FPMService string
	PHP        string // name of the command line's binary
}

// Paths derives every path from the site. It checks nothing.
func (s Site) Paths() Paths {
	home := "/home/" + s.User
	site := path.Join(home, s.Directory)
	state := "/etc/forge/sites/" + s.ID
	p := Paths{
		Home:       home,
		Site:       site,
		Web:        path.Join(site, s.WebDirectory),
		DeployKey:  home + "/.ssh/forge-" + s.ID,
		State:      state,
		KnownHosts: state + "/known_hosts",
		Vhost:      "/etc/nginx/forge.d/" + s.ID + ".conf",
		Logs:       "/var/log/nginx/forge-" + s.ID,
		Keys:       "/etc/ssh/authorized_keys.d/" + s.User,
	}
	if s.PHPVersion != "" {
		p.Pool = "/etc/php/" + s.PHPVersion + "/fpm/pool.d/forge-" + s.ID + ".conf"
		// Two versions serve a site for a moment.
		p.Socket = "/run/php/forge-" + s.ID + "-" + s.PHPVersion + ".sock"
		p.FPM = "php-fpm" + s.PHPVersion
		p.FPMService = "php" + s.PHPVersion + "-fpm"
		p.PHP = "php" + s.PHPVersion
	}
	return p
}

var (
	idPattern      = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	userPattern    = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	namePattern    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$`)
	versionPattern = regexp.MustCompile(`^[0-9]{1,2}\.[0-9]{1,2}$`)
)

func (s Site) check() error {
	if !idPattern.MatchString(s.ID) {
		return fmt.Errorf("site %q: its id must be lower-case letters, digits and dashes", s.ID)
	}
	if !userPattern.MatchString(s.User) || s.User == "root" {
		return fmt.Errorf("site %s: %q cannot be its unix user", s.ID, s.User)
	}
	if !namePattern.MatchString(s.Directory) {
		return fmt.Errorf("site %s: %q cannot be the name of its directory", s.ID, s.Directory)
	}
	if web := strings.Trim(s.WebDirectory, "/"); web != "" {
		for _, name := range strings.Split(web, "/") {
			if !namePattern.MatchString(name) {
				return fmt.Errorf("site %s: %q cannot be its web directory", s.ID, s.WebDirectory)
			}
		}
	}
	if (s.Kind == nginx.PHP) != (s.PHPVersion != "") {
		return fmt.Errorf("site %s: kind %q with PHP version %q", s.ID, s.Kind, s.PHPVersion)
	}
	if s.PHPVersion != "" && !versionPattern.MatchString(s.PHPVersion) {
		return fmt.Errorf("site %s: %q is not a version of PHP", s.ID, s.PHPVersion)
	}
	return nil
}

// configs returns the virtual host and, for PHP, the pool.
func (s Site) configs() (vhost, pool []byte, err error) {
	p := s.Paths()
	vhost, err = nginx.Vhost{
		ID: s.ID, Kind: s.Kind, Names: s.Names, Root: p.Web, Socket: p.Socket, Upstream: s.Upstream,
	}.Config()
	if err != nil || s.PHPVersion == "" {
		return vhost, nil, err
	}
	pool, err = phpfpm.Pool{ID: s.ID, User: s.User, Socket: p.Socket}.Config()
	return vhost, pool, err
}

// Repo returns the site's repository at url as a working copy in the site's
// directory.
func (s Site) Repo(url, branch string) git.Repo {
	p := s.Paths()
	return git.Repo{
		URL: url, Branch: branch,
		User: s.User, Dir: p.Site, Key: p.DeployKey, KnownHosts: p.KnownHosts,
	}
}

// DeployKey returns the command that makes the site's deploy key;
// [git.ParseDeployKey] reads its output.
func DeployKey(s Site) (sshexec.Command, error) {
	if err := s.check(); err != nil {
		return sshexec.Command{}, err
	}
	return git.DeployKey(s.User, s.Paths().DeployKey, "forge-"+s.ID)
}

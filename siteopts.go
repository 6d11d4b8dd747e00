package forge

import (
	"cmp"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/secret"
)

// SiteOpts are the options of Sites.Create.
type SiteOpts struct {
	// Domain is the site's name. International names become punycode.
	Domain  string
	Aliases []string
	// Kind defaults to PHPSite.
	Kind SiteKind
	// WebDirectory is what is served, below the site's directory. Defaults to
	// "/public" for PHPSite and "/" for StaticSite. A ProxySite has none.
	WebDirectory string
	// PHPVersion is one of the server's. Defaults to the first of them.
	PHPVersion string
	// Upstream is where the program of a ProxySite listens: a loopback address
	// with a port, as "127.0.0.1:3000" or "[::1]:3000", or a socket, as
	// "unix:/run/app/web.sock", which nginx's user www-data must be let in to.
	// Any user of the server can listen on a loopback port while the program does
	// not, so a socket in a directory of the program's own is the safe choice; it
	// cannot be one of PHP's or in the home of another user. The program is told
	// of the client by X-Forwarded-For, -Proto, -Host and -Port, and by X-Real-IP.
	// Its answers are buffered unless they have X-Accel-Buffering: no, and end
	// when it sends nothing for 300 seconds.
	Upstream string
	// User is the unix user of the site's files and processes. Defaults to one
	// of the site's own. With "forge" the site is in /home/forge, by its domain,
	// and shares that user with others: such sites can read and change each
	// other.
	User string
	// Repository is a git URL: ssh, git@host:path, or https without
	// credentials. Empty for a site without one.
	Repository string
	// RepositoryToken is the token or password by which an https repository is
	// read, and RepositoryUser who logs in with it. The host of the repository
	// gets them, and no other. Defaults to a public repository, and to "git".
	RepositoryUser  string
	RepositoryToken secret.Secret
	Branch          string // Defaults to "main".
	// KnownHosts are the host keys of the git server, in known_hosts format.
	// Defaults to those of GitHub, GitLab and Bitbucket.
	KnownHosts string
	// DeployScript replaces the default one of the kind. {{SITE_PATH}},
	// {{BRANCH}} and {{DOMAIN}} are replaced in it.
	DeployScript string
	// DeployTimeout bounds a deployment. Defaults to 10 minutes.
	DeployTimeout time.Duration

	Labels         map[string]string
	IdempotencyKey string
}

// Validate checks the options as Create does, but for what depends on the
// server. Its error is of class ErrInvalid and names the field and the rule.
func (o SiteOpts) Validate() error {
	_, err := o.site()
	return err
}

// site makes the record that the options describe.
func (o SiteOpts) site() (*Site, error) {
	var v values
	site := &Site{
		ID: newID(), Kind: o.Kind, Domain: o.Domain, Aliases: o.Aliases, WebDirectory: o.WebDirectory,
		PHPVersion: o.PHPVersion, Upstream: o.Upstream,
		Repository: o.Repository, RepositoryUser: o.RepositoryUser, Branch: o.Branch, KnownHosts: o.KnownHosts,
		DeployScript: o.DeployScript, DeployTimeout: o.DeployTimeout,
		Labels:         v.labels(o.Labels),
		IdempotencyKey: v.optional("idempotency_key", o.IdempotencyKey, validate.IdempotencyKey),
	}
	switch o.User {
	case "":
		site.User = "site-" + site.ID[len(site.ID)-12:]
	case sitectl.SharedUser:
		site.User = o.User
	default:
		v.fail("user", "must be empty, for a user of the site's own, or %q", sitectl.SharedUser)
	}
	v.settings(site)
	v.text("", site.fitsToken(o.RepositoryToken))
	site.Directory = site.Domain
	return site, v.err
}

// settings checks the settings of a site, which become those in force and are
// stored in their normal form.
func (v *values) settings(s *Site) {
	s.Domain = v.text(validate.Domain("domain", s.Domain))
	aliases, err := validate.Aliases("aliases", s.Domain, s.Aliases)
	v.text("", err)
	s.Aliases = aliases
	v.kind(s)
	s.Branch = v.text(validate.Branch("branch", cmp.Or(s.Branch, "main")))
	if s.Repository != "" {
		repo, err := validate.Repository("repository", s.Repository)
		s.Repository = v.text(repo.URL, err)
	}
	s.RepositoryUser = v.optional("repository_user", s.RepositoryUser, validate.RepositoryUser)
	if _, err := git.KnownHosts(s.KnownHosts); err != nil {
		v.fail("known_hosts", "%v", err)
	}
	s.DeployScript = v.optional("deploy_script", s.DeployScript, validate.DeployScript)
	if s.DeployTimeout < 0 {
		v.fail("deploy_timeout", "must not be negative")
	}
}

// kind checks the kind of a site and what goes with it.
func (v *values) kind(s *Site) {
	s.Kind = cmp.Or(s.Kind, PHPSite)
	s.PHPVersion = v.optional("php_version", s.PHPVersion, validate.PHPVersion)
	switch s.Kind {
	case PHPSite:
		s.WebDirectory = cmp.Or(s.WebDirectory, "/public")
	case StaticSite:
		s.WebDirectory = cmp.Or(s.WebDirectory, "/")
	case ProxySite:
		s.Upstream = v.text(validate.UpstreamOf(s.User, "upstream", s.Upstream))
	default:
		v.fail("kind", "must be %q, %q or %q", PHPSite, StaticSite, ProxySite)
	}
	s.WebDirectory = v.optional("web_directory", s.WebDirectory, validate.WebDirectory)
	const foreign = "must be empty for a site of kind %q"
	switch {
	case s.Kind != PHPSite && s.PHPVersion != "":
		v.fail("php_version", foreign, s.Kind)
	case s.Kind != ProxySite && s.Upstream != "":
		v.fail("upstream", foreign, s.Kind)
	case s.Kind == ProxySite && s.WebDirectory != "":
		v.fail("web_directory", foreign, s.Kind)
	}
}

// fits checks a site against its server. A version of PHP that is about to be
// taken from the server is not there any more.
func (s *Site) fits(tx Tx, srv *Server) error {
	if s.Kind != PHPSite {
		return nil
	}
	leaving, err := srv.leavingPHP(tx)
	if err != nil {
		return err
	}
	versions := slices.DeleteFunc(slices.Clone(srv.Stack.PHP), func(v string) bool { return slices.Contains(leaving, v) })
	if s.PHPVersion == "" && len(versions) > 0 {
		s.PHPVersion = versions[0]
	}
	if !slices.Contains(versions, s.PHPVersion) {
		if slices.Contains(leaving, s.PHPVersion) {
			return badState("PHP %s is about to be removed from the server", s.PHPVersion)
		}
		return invalid("php_version", "must be one of the server's: %v", versions)
	}
	return nil
}

// directoryFree refuses a new site whose directory another one has, as sites of
// one user can where a domain was changed.
func (s *Site) directoryFree(tx Tx) error {
	others, err := sitesReadBy(tx, s.Server, s.User)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.Directory == s.Directory && other.Domain != s.Domain {
			return &Error{Class: ErrConflict, Field: "domain",
				Rule: "its directory is that of the site " + other.Domain + ", which had this domain before"}
		}
	}
	return nil
}

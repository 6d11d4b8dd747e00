package forge

import (
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/internal/git"
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
	// "/public" for PHPSite and "/" for StaticSite.
	WebDirectory string
	// PHPVersion is one of the server's. Defaults to the first of them.
	PHPVersion string
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
		ID:             newID(),
		Domain:         v.text(validate.Domain("domain", o.Domain)),
		Kind:           o.Kind,
		WebDirectory:   o.WebDirectory,
		PHPVersion:     v.optional("php_version", o.PHPVersion, validate.PHPVersion),
		Branch:         o.Branch,
		DeployScript:   v.optional("deploy_script", o.DeployScript, validate.DeployScript),
		DeployTimeout:  o.DeployTimeout,
		KnownHosts:     o.KnownHosts,
		RepositoryUser: v.optional("repository_user", o.RepositoryUser, validate.RepositoryUser),
		Labels:         v.labels(o.Labels),
		IdempotencyKey: v.optional("idempotency_key", o.IdempotencyKey, validate.IdempotencyKey),
	}
	site.User = "site-" + site.ID[len(site.ID)-12:]
	site.Directory = site.Domain
	aliases, err := validate.Aliases("aliases", site.Domain, o.Aliases)
	v.text("", err)
	site.Aliases = aliases
	switch site.Kind {
	case "":
		site.Kind = PHPSite
	case PHPSite, StaticSite:
	default:
		v.fail("kind", "must be %q or %q", PHPSite, StaticSite)
	}
	if site.WebDirectory == "" {
		site.WebDirectory = map[SiteKind]string{PHPSite: "/public", StaticSite: "/"}[site.Kind]
	}
	site.WebDirectory = v.text(validate.WebDirectory("web_directory", site.WebDirectory))
	if site.Branch == "" {
		site.Branch = "main"
	}
	site.Branch = v.text(validate.Branch("branch", site.Branch))
	if o.Repository != "" {
		repo, err := validate.Repository("repository", o.Repository)
		site.Repository = v.text(repo.URL, err)
	}
	v.text("", site.fitsToken(o.RepositoryToken))
	if site.Kind == StaticSite && site.PHPVersion != "" {
		v.fail("php_version", "must be empty for a site of kind %q", StaticSite)
	}
	if o.DeployTimeout < 0 {
		v.fail("deploy_timeout", "must not be negative")
	}
	if _, err := git.KnownHosts(o.KnownHosts); err != nil {
		v.fail("known_hosts", "%v", err)
	}
	return site, v.err
}

// fits checks a new site against its server.
func (s *Site) fits(srv *Server) error {
	if s.Kind != PHPSite {
		return nil
	}
	if s.PHPVersion == "" && len(srv.Stack.PHP) > 0 {
		s.PHPVersion = srv.Stack.PHP[0]
	}
	if !slices.Contains(srv.Stack.PHP, s.PHPVersion) {
		return invalid("php_version", "must be one of the server's: %v", srv.Stack.PHP)
	}
	return nil
}

package forge

import (
	"maps"
	"slices"
	"time"

	"github.com/seed-797f2c2c/forge/secret"
)

// SiteStatus is the state of a site.
type SiteStatus string

// The states of a site.
const (
	SitePending        SiteStatus = "pending"
	SiteInstalling     SiteStatus = "installing"
	SiteAwaitingAccess SiteStatus = "awaiting_access" // the repository refuses Site.DeployKey; see Sites.Connect
	SiteInstalled      SiteStatus = "installed"       // served, nothing deployed yet
	SiteDeployed       SiteStatus = "deployed"
	SiteFailed         SiteStatus = "failed" // it was not set up; see Site.Failure
	SiteDeleting       SiteStatus = "deleting"
)

// SiteKind says how a site is served.
type SiteKind string

// The kinds of sites.
const (
	PHPSite    SiteKind = "php"
	StaticSite SiteKind = "static"
	ProxySite  SiteKind = "proxy" // answered by a program of the site's own, at Site.Upstream
)

// Site is a web site on a server.
type Site struct {
	ID             string
	Owner          string
	Server         string
	Labels         map[string]string
	IdempotencyKey string

	Kind         SiteKind
	Domain       string // in ASCII
	Aliases      []string
	WebDirectory string // below the site's directory, as "/public"
	PHPVersion   string
	Upstream     string // of a ProxySite: as "127.0.0.1:3000", "[::1]:3000" or "unix:/run/app/web.sock"
	User         string // unix user: the site's own, or "forge"
	Directory    string // name of the site's directory in the user's home

	Repository string // git URL; empty for none
	// RepositoryUser and RepositoryToken log in to an https repository. An
	// empty user is "git".
	RepositoryUser  string
	RepositoryToken secret.Sealed
	Branch          string
	DeployKey       string // public half of the site's deploy key, once it is made
	KnownHosts      string // host keys of the git server, beyond those that forge knows
	DeployScript    string // empty for the default of the kind
	// DeployTimeout bounds a deployment. Defaults to 10 minutes.
	DeployTimeout time.Duration

	// Environment is the environment file as it is on the server, see
	// Sites.Environment.
	Environment secret.Sealed
	// EnvironmentNext are variables that may be there instead, as their writes are
	// under way or ended in doubt. They are masked too.
	EnvironmentNext secret.Sealed
	Webhook         RotatingSecret // authenticates webhooks
	DeployURL       RotatingSecret // is the token in the deploy URL

	Status SiteStatus
	// Failure is why Status is SiteFailed, or what a failed update left undone.
	Failure string

	// Of the last deployment that began; DeploymentFinished is zero while it runs.
	DeploymentStarted, DeploymentFinished time.Time

	Created, Updated time.Time
}

// Clone returns a copy that shares nothing with the site.
func (s *Site) Clone() *Site {
	c := *s
	c.Labels = maps.Clone(s.Labels)
	c.Aliases = slices.Clone(s.Aliases)
	c.RepositoryToken = slices.Clone(s.RepositoryToken)
	c.Environment, c.EnvironmentNext = slices.Clone(s.Environment), slices.Clone(s.EnvironmentNext)
	c.Webhook, c.DeployURL = s.Webhook.clone(), s.DeployURL.clone()
	return &c
}

// RotatingSecret is a secret that has been made anew: for a time the one before
// it is good too.
type RotatingSecret struct {
	Current       secret.Sealed
	Previous      secret.Sealed // empty for none
	PreviousUntil time.Time
}

func (r RotatingSecret) clone() RotatingSecret {
	r.Current, r.Previous = slices.Clone(r.Current), slices.Clone(r.Previous)
	return r
}

// SiteUpdate changes the settings of a site that are not nil.
type SiteUpdate struct {
	Kind           *SiteKind
	Domain         *string // the site's directory keeps its name
	Aliases        *[]string
	WebDirectory   *string
	PHPVersion     *string
	Upstream       *string
	Repository     *string
	RepositoryUser *string
	Branch         *string
	KnownHosts     *string
	DeployScript   *string
	DeployTimeout  *time.Duration
}

// clone returns a copy that shares nothing with the update.
func (u *SiteUpdate) clone() *SiteUpdate {
	if u == nil {
		return nil
	}
	c := *u
	c.Kind = copied(u.Kind)
	c.Domain, c.WebDirectory, c.PHPVersion = copied(u.Domain), copied(u.WebDirectory), copied(u.PHPVersion)
	c.Upstream, c.Repository, c.RepositoryUser = copied(u.Upstream), copied(u.Repository), copied(u.RepositoryUser)
	c.Branch, c.KnownHosts, c.DeployScript = copied(u.Branch), copied(u.KnownHosts), copied(u.DeployScript)
	c.DeployTimeout = copied(u.DeployTimeout)
	if c.Aliases = copied(u.Aliases); c.Aliases != nil {
		*c.Aliases = slices.Clone(*c.Aliases)
	}
	return &c
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// SiteFilter selects sites.
type SiteFilter struct {
	Owner          string
	Server         string
	Domain         string // the domain or one of the aliases
	IdempotencyKey string
	Status         []SiteStatus
	Labels         map[string]string // all of these
}

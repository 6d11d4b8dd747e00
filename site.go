package forge

import (
	"maps"
	"slices"
	"time"
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
	PHP    SiteKind = "php"
	Static SiteKind = "static"
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
	User         string // unix user
	Directory    string // name of the site's directory in the user's home

	Repository   string // git URL; empty for none
	Branch       string
	DeployKey    string // public half of the site's deploy key, once it is made
	KnownHosts   string // host keys of the git server, beyond those that forge knows
	DeployScript string // empty for the default of the kind
	// DeployTimeout bounds a deployment. Defaults to 10 minutes.
	DeployTimeout time.Duration

	Status  SiteStatus
	Failure string // why Status is SiteFailed

	// Of the last deployment that began; DeploymentFinished is zero while it runs.
	DeploymentStarted, DeploymentFinished time.Time

	Created, Updated time.Time
}

// Clone returns a copy that shares nothing with the site.
func (s *Site) Clone() *Site {
	c := *s
	c.Labels = maps.Clone(s.Labels)
	c.Aliases = slices.Clone(s.Aliases)
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

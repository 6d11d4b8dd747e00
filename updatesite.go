package forge

import (
	"context"
	"net/url"
	"slices"
)

// Update changes the settings of a site that are given. The record has them at
// once, and the action brings the server in step; where nothing there has to
// change, it is finished already. Nothing is deployed: what concerns deployments
// is for the next one. A deployment of the site's branch that is pending already
// is superseded by one of the new branch or repository.
//
// When the action fails or is cancelled, the settings are what they were, and
// another action sees to it that the server agrees, where that is in doubt. A
// domain or an alias that another site took meanwhile is not taken back:
// Site.Failure says so.
//
// It waits for a deployment that runs, and is refused while another action of
// the site is open. A site of another Kind begins with that kind's defaults in
// what is not given. A repository at another host gets no token until SetToken
// is called. Where the repository refuses access, the site is left in state
// SiteAwaitingAccess, and still served: see Connect. A site that is not set up
// yet is set up with the new settings, as by Connect, and keeps them when that
// fails.
func (s *Sites) Update(ctx context.Context, id string, settings SiteUpdate) (site *Site, action *Action, err error) {
	if _, err := s.f.ask(ctx, "Sites.Update", Subject{SubjectSite, id}); err != nil {
		return nil, nil, err
	}
	c := s.f.core
	err = c.update(ctx, func(t *txn) error {
		was, err := s.f.site(t, id)
		if err != nil {
			return err
		}
		if was.Status == SiteDeleting {
			return badState("the site is %s", was.Status)
		}
		srv, err := s.f.activeServer(t, was.Server)
		if err != nil {
			return err
		}
		if site, err = was.with(t, srv, &settings); err != nil {
			return err
		}
		if err := noneOpen(t, ActionFilter{Subject: Subject{SubjectSite, id}}); err != nil {
			return err
		}
		site.Updated = t.Now()
		if err := t.Sites().Update(site); err != nil {
			return err
		}
		if was.Status != SiteInstalled && was.Status != SiteDeployed {
			action, err = s.f.setUp(t, site)
			return err
		}
		action = &Action{Owner: site.Owner, Actor: s.f.actor, Kind: KindUpdateSite, Subject: Subject{SubjectSite, id},
			Server: site.Server, Locks: []string{serverLock(site.Server), siteLock(id)},
			Input: Input{Restore: was.before(site)}}
		if len(site.RepositoryToken) == 0 {
			action.Input.Sealed = was.RepositoryToken
		}
		if err := c.insert(t, action); err != nil {
			return err
		}
		if site.Failure == "" && !action.Input.Restore.onServer() {
			if err := c.finishAtOnce(t, action); err != nil {
				return err
			}
		}
		return c.retrigger(t, was, site)
	})
	if err != nil {
		return nil, nil, err
	}
	return site, action, nil
}

// finishAtOnce ends an action for which there is nothing to do.
func (c *core) finishAtOnce(t *txn, a *Action) error {
	a.Started = t.Now()
	if err := c.setStatus(t, a, ActionRunning); err != nil {
		return err
	}
	return c.setStatus(t, a, ActionFinished)
}

// with is the site with other settings, all of them checked.
func (s *Site) with(tx Tx, srv *Server, u *SiteUpdate) (*Site, error) {
	site := s.Clone()
	if u.Kind != nil && *u.Kind != s.Kind {
		site.PHPVersion, site.Upstream = "", ""
		if *u.Kind == ProxySite || s.Kind == ProxySite {
			site.WebDirectory = ""
		}
	}
	u.apply(site)
	var v values
	v.settings(site)
	if v.err != nil {
		return nil, v.err
	}
	if !sameHost(s.Repository, site.Repository) {
		site.RepositoryToken = nil
	}
	return site, site.fits(tx, srv)
}

// sameHost reports whether a token for one repository may be used for the other.
func sameHost(a, b string) bool {
	one, err := url.Parse(a)
	if err != nil || one.Scheme != "https" {
		return false
	}
	other, err := url.Parse(b)
	return err == nil && other.Scheme == one.Scheme && other.Host == one.Host
}

// apply gives a site the settings as they are.
func (u *SiteUpdate) apply(s *Site) {
	set(&s.Kind, u.Kind)
	set(&s.Domain, u.Domain)
	set(&s.Aliases, u.Aliases)
	set(&s.WebDirectory, u.WebDirectory)
	set(&s.PHPVersion, u.PHPVersion)
	set(&s.Upstream, u.Upstream)
	set(&s.Repository, u.Repository)
	set(&s.RepositoryUser, u.RepositoryUser)
	set(&s.Branch, u.Branch)
	set(&s.KnownHosts, u.KnownHosts)
	set(&s.DeployScript, u.DeployScript)
	set(&s.DeployTimeout, u.DeployTimeout)
}

func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// before is what the settings that differ in another state of the site are in
// this one.
func (s *Site) before(now *Site) *SiteUpdate {
	u := &SiteUpdate{
		Kind:           changed(s.Kind, now.Kind),
		Domain:         changed(s.Domain, now.Domain),
		WebDirectory:   changed(s.WebDirectory, now.WebDirectory),
		PHPVersion:     changed(s.PHPVersion, now.PHPVersion),
		Upstream:       changed(s.Upstream, now.Upstream),
		Repository:     changed(s.Repository, now.Repository),
		RepositoryUser: changed(s.RepositoryUser, now.RepositoryUser),
		Branch:         changed(s.Branch, now.Branch),
		KnownHosts:     changed(s.KnownHosts, now.KnownHosts),
		DeployScript:   changed(s.DeployScript, now.DeployScript),
		DeployTimeout:  changed(s.DeployTimeout, now.DeployTimeout),
	}
	if !slices.Equal(s.Aliases, now.Aliases) {
		u.Aliases = copied(&s.Aliases)
	}
	return u
}

func changed[T comparable](was, now T) *T {
	if was == now {
		return nil
	}
	return &was
}

// onServer reports whether there are settings that the server has to know.
func (u *SiteUpdate) onServer() bool {
	return u.Kind != nil || u.Domain != nil || u.Aliases != nil || u.WebDirectory != nil || u.PHPVersion != nil ||
		u.Upstream != nil || u.Repository != nil || u.KnownHosts != nil
}

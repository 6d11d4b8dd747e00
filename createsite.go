package forge

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/internal/sitectl"
)

// onServer is the site as its server knows it.
func (s *Site) onServer() sitectl.Site {
	return sitectl.Site{
		ID: s.ID, User: s.User, Directory: s.Directory, WebDirectory: s.WebDirectory, Kind: nginx.Kind(s.Kind),
		Names: append([]string{s.Domain}, s.Aliases...), PHPVersion: s.PHPVersion, Upstream: s.Upstream, KnownHosts: s.KnownHosts,
	}
}

// site reads the site that the action is about, and its server.
func (w *work) site(ctx context.Context) (srv *Server, site *Site, err error) {
	err = w.view(ctx, func(tx Tx) error {
		if srv, err = tx.Servers().Get(w.action.Server); err != nil {
			return err
		}
		site, err = tx.Sites().Get(w.action.Subject.ID)
		return err
	})
	return srv, site, err
}

// createSite makes the site on its server and clones its repository.
func (c *core) createSite(ctx context.Context, w *work) error {
	srv, site, err := w.site(ctx)
	if err != nil {
		return err
	}
	if err := c.bringInStep(ctx, w, srv, site, site.Repository != ""); err != nil || w.done != nil {
		return err
	}
	w.done = func(t *txn) error { return c.siteReady(t, w.action, site.ID, SiteInstalled) }
	return nil
}

// bringInStep makes on the server what the record says, with its repository if
// asked for. Each part looks for what is there already, so that another attempt
// goes on where one was left. Where the repository refuses access, what is to be
// done then is set, and the rest is not done.
func (c *core) bringInStep(ctx context.Context, w *work, srv *Server, site *Site, repository bool) error {
	if w.action.Cursor.Run == "" {
		if err := c.serveSite(ctx, w, srv, site); err != nil || !repository {
			return err
		}
		if err := c.connectRepository(ctx, w, srv, site); err != nil || w.done != nil {
			return err
		}
	}
	if err := w.stage(ctx, "clone"); err != nil {
		return err
	}
	repo, err := c.repo(ctx, site, site.Branch)
	if err != nil {
		return err
	}
	spec, err := repo.Clone()
	if err != nil {
		return err
	}
	spec.ID, spec.Fence = w.runID(), w.fence
	return w.detached(ctx, srv, srv.proxied(spec), nil)
}

// stageServe is the stage of serveSite.
const stageServe = "server"

// serveSite makes the unix user, the directory, the pool and the virtual host.
func (c *core) serveSite(ctx context.Context, w *work, srv *Server, site *Site) error {
	if err := w.stage(ctx, stageServe); err != nil {
		return err
	}
	if err := w.say(ctx, "setting up "+site.Domain); err != nil {
		return err
	}
	cmd, err := sitectl.Create(site.onServer())
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	_, err = c.client(srv).Run(ctx, cmd)
	return unreachable(sitectl.Explain(err))
}

// connectRepository makes the deploy key and asks the git server for access with
// it. Where that is refused, the work is done for now.
func (c *core) connectRepository(ctx context.Context, w *work, srv *Server, site *Site) error {
	if err := w.stage(ctx, "repository"); err != nil {
		return err
	}
	cmd, err := sitectl.DeployKey(site.onServer())
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	result, err := c.client(srv).Run(ctx, cmd)
	if err != nil {
		return unreachable(err)
	}
	public, err := git.ParseDeployKey(result.Stdout)
	if err != nil {
		return err
	}
	err = w.update(ctx, func(t *txn, _ *Action) error {
		site, err := t.Sites().Get(site.ID)
		if err != nil {
			return gone(err)
		}
		site.DeployKey, site.Updated = public, t.Now()
		return t.Sites().Update(site)
	})
	if err != nil {
		return err
	}
	return c.checkAccess(ctx, w, srv, site, public)
}

func (c *core) checkAccess(ctx context.Context, w *work, srv *Server, site *Site, public string) error {
	repo, err := c.repo(ctx, site, site.Branch)
	if err != nil {
		return err
	}
	cmd, err := repo.CheckAccess()
	if err != nil {
		return err
	}
	result, err := c.client(srv).Run(ctx, srv.proxiedCommand(cmd))
	if err == nil {
		_, err = git.ParseHead(result.Stdout)
	}
	var refused *git.Error
	if err = git.Explain(err); errors.As(err, &refused) && refused.Outcome == git.AccessRefused {
		w.done = func(t *txn) error { return c.siteReady(t, w.action, site.ID, SiteAwaitingAccess) }
		if err := w.say(ctx, site.refusal()+", and connect the site again"); err != nil || site.overHTTPS() {
			return err
		}
		return w.say(ctx, public)
	}
	if err != nil {
		return w.gitError(site, err)
	}
	return nil
}

// siteReady moves a site that was set up as far as it can be, and triggers its
// first deployment.
func (c *core) siteReady(t *txn, a *Action, id string, to SiteStatus) error {
	site, err := t.Sites().Get(id)
	if err != nil || site.Status == SiteDeleting {
		return gone(err)
	}
	site.Failure = ""
	if err := c.putSite(t, site, to, a.ID); err != nil {
		return err
	}
	if to == SiteAwaitingAccess || site.Repository == "" && site.DeployScript == "" {
		return nil
	}
	_, err = c.trigger(t, site, &Deployment{Branch: site.Branch}, a.Actor, a.Parent)
	return err
}

func (c *core) createSiteChanged(t *txn, a *Action) error {
	switch a.Status {
	case ActionRunning:
		return c.stepSite(t, a, SiteInstalling)
	case ActionFailed, ActionCancelled:
		return c.stepSite(t, a, SiteFailed)
	}
	return nil
}

// stepSite moves the subject of an action, unless it is gone or being deleted by
// another.
func (c *core) stepSite(t *txn, a *Action, to SiteStatus) error {
	site, err := orNone(t.Sites().Get(a.Subject.ID))
	if site == nil || site.Status == SiteDeleting && a.Kind != KindDeleteSite {
		return err
	}
	site.Failure = ""
	if to == SiteFailed {
		site.Failure = failureText(a)
	}
	return c.putSite(t, site, to, a.ID)
}

// putSite moves a site and stores it.
func (c *core) putSite(t *txn, site *Site, to SiteStatus, action string) error {
	if err := moveSite(t, site, to, action); err != nil {
		return err
	}
	site.Updated = t.Now()
	return t.Sites().Update(site)
}

// deleteSite takes away from the server what createSite made.
func (c *core) deleteSite(ctx context.Context, w *work) error {
	srv, site, err := w.site(ctx)
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "server"); err != nil {
		return err
	}
	cmd, err := sitectl.Delete(site.onServer())
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	if _, err := c.client(srv).Run(ctx, cmd); err != nil {
		return sitectl.Explain(err)
	}
	if err := w.dropDeliveries(ctx, site.ID); err != nil {
		return err
	}
	w.done = func(t *txn) error { return c.removeSite(t, site, w.action.ID) }
	return nil
}

func (c *core) deleteSiteChanged(t *txn, a *Action) error {
	switch was := SiteStatus(a.Input.Was); {
	case a.Status == ActionCancelled && a.Started.IsZero() && slices.Contains(siteMoves[SiteDeleting], was):
		site, err := orNone(t.Sites().Get(a.Subject.ID))
		if site == nil {
			return err
		}
		return c.putSite(t, site, was, a.ID)
	case a.Status == ActionFailed, a.Status == ActionCancelled:
		return c.stepSite(t, a, SiteFailed)
	}
	return nil
}

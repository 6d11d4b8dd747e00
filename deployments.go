package forge

import (
	"context"
	"errors"
	"iter"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// Deployments looks after deployments.
type Deployments struct{ f *Forge }

// Get returns a deployment.
func (s *Deployments) Get(ctx context.Context, id string) (d *Deployment, err error) {
	if _, err := s.f.ask(ctx, "Deployments.Get", Subject{SubjectDeployment, id}); err != nil {
		return nil, err
	}
	err = s.f.core.Store.View(ctx, func(tx Tx) error {
		d, err = s.f.deployment(tx, id)
		return err
	})
	return d, err
}

func (f *Forge) deployment(tx Tx, id string) (*Deployment, error) {
	d, err := tx.Deployments().Get(id)
	return scoped(f, "deployment", id, d, func(d *Deployment) string { return d.Owner }, err)
}

// List returns a page of the deployments that the filter selects.
func (s *Deployments) List(ctx context.Context, filter DeploymentFilter, page Page) ([]*Deployment, error) {
	if _, err := s.f.ask(ctx, "Deployments.List"); err != nil {
		return nil, err
	}
	if s.f.narrow(&filter.Owner) {
		return nil, nil
	}
	return list(ctx, s.f.core.Store, func(tx Tx) ([]*Deployment, error) { return tx.Deployments().List(filter, page) })
}

// All yields every deployment that the filter selects, page by page.
func (s *Deployments) All(ctx context.Context, filter DeploymentFilter) iter.Seq2[*Deployment, error] {
	return asking(ctx, s.f, "Deployments.All", nil, func(f *Forge) iter.Seq2[*Deployment, error] {
		return all(func(page Page) ([]*Deployment, error) { return f.Deployments.List(ctx, filter, page) },
			func(d *Deployment) string { return d.ID })
	})
}

// DeployOpts are the options of Deployments.Trigger.
type DeployOpts struct {
	Branch string // Defaults to the site's.
	Commit string // 40 or 64 hex digits. Defaults to the newest of the branch.
}

// Trigger asks for a deployment of a site. One runs at a time. Where one of the
// same branch and commit is pending already, it covers this trigger too and is
// returned; one of another branch or commit is superseded.
func (s *Deployments) Trigger(ctx context.Context, siteID string, opts *DeployOpts) (*Deployment, error) {
	if _, err := s.f.ask(ctx, "Deployments.Trigger", Subject{SubjectSite, siteID}); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &DeployOpts{}
	}
	var v values
	branch := v.optional("branch", opts.Branch, validate.Branch)
	commit := v.optional("commit", opts.Commit, validate.Commit)
	if v.err != nil {
		return nil, v.err
	}
	var d *Deployment
	err := s.f.core.update(ctx, func(t *txn) error {
		site, err := s.f.site(t, siteID)
		if err != nil {
			return err
		}
		if err := s.f.deployable(t, site); err != nil {
			return err
		}
		d = &Deployment{Branch: branch, Commit: commit}
		if d.Branch == "" {
			d.Branch = site.Branch
		}
		d, err = s.f.core.trigger(t, site, d, s.f.actor, "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// deployable refuses what cannot be deployed now.
func (f *Forge) deployable(t *txn, site *Site) error {
	if site.Status != SiteInstalled && site.Status != SiteDeployed {
		return badState("the site is %s; it must be %s or %s", site.Status, SiteInstalled, SiteDeployed)
	}
	if site.Repository == "" && site.DeployScript == "" {
		return badState("the site has neither a repository nor a deploy script")
	}
	_, err := f.activeServer(t, site.Server)
	return err
}

// trigger inserts a deployment, or returns the pending one that covers it.
func (c *core) trigger(t *txn, site *Site, d *Deployment, actor, parent string) (*Deployment, error) {
	pending, err := t.Deployments().List(DeploymentFilter{Site: site.ID, Status: []DeploymentStatus{DeploymentPending}}, Page{Limit: 1})
	if err != nil {
		return nil, err
	}
	for _, p := range pending {
		if p.Branch == d.Branch && p.Commit == d.Commit {
			return p, nil
		}
		if err := c.supersede(t, p.Action); err != nil {
			return nil, err
		}
	}
	d.ID, d.Owner, d.Site, d.Server, d.Created = newID(), site.Owner, site.ID, site.Server, t.Now()
	d.Action = newID()
	if err := moveDeployment(t, d, DeploymentPending); err != nil {
		return nil, err
	}
	if err := t.Deployments().Insert(d); err != nil {
		return nil, err
	}
	return d, c.insert(t, &Action{ID: d.Action, Owner: site.Owner, Actor: actor, Kind: KindDeploy, Parent: parent,
		Timeout: site.DeployTimeout, Subject: Subject{SubjectDeployment, d.ID}, Server: site.Server,
		Locks: []string{siteLock(site.ID)}})
}

// retrigger supersedes the pending deployment of what a site deployed until now
// with one of what it deploys from now on, for whom asked for the first.
func (c *core) retrigger(t *txn, was, now *Site) error {
	if was.Branch == now.Branch && was.Repository == now.Repository {
		return nil
	}
	pending, err := t.Deployments().List(DeploymentFilter{Site: now.ID, Status: []DeploymentStatus{DeploymentPending}}, Page{Limit: 1})
	if err != nil || len(pending) == 0 || pending[0].Branch != was.Branch {
		return err
	}
	a, err := t.Actions().Get(pending[0].Action)
	if err != nil {
		return err
	}
	if err := c.supersede(t, a.ID); err != nil || now.Repository == "" && now.DeployScript == "" {
		return err
	}
	_, err = c.trigger(t, now, &Deployment{Branch: now.Branch}, a.Actor, "")
	return err
}

// Cancel asks for the end of a deployment, as Actions.Cancel does.
func (s *Deployments) Cancel(ctx context.Context, id string) error {
	f, err := s.f.ask(ctx, "Deployments.Cancel", Subject{SubjectDeployment, id})
	if err != nil {
		return err
	}
	d, err := f.Deployments.Get(ctx, id)
	if err != nil {
		return err
	}
	return f.Actions.Cancel(ctx, d.Action)
}

// Wait waits for the end of a deployment, as Actions.Wait does. Where it ended
// other than finished, it is returned with an *ActionError.
func (s *Deployments) Wait(ctx context.Context, id string) (*Deployment, error) {
	f, err := s.f.ask(ctx, "Deployments.Wait", Subject{SubjectDeployment, id})
	if err != nil {
		return nil, err
	}
	d, err := f.Deployments.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	_, waitErr := f.Actions.Wait(ctx, d.Action)
	var ended *ActionError // says that the store answered a moment ago, as nil does
	patient := patience{hub: f.core.hub, heard: waitErr == nil || errors.As(waitErr, &ended)}
	err = patient.read(ctx, func() error {
		d, err = f.Deployments.Get(context.WithoutCancel(ctx), id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return d, waitErr
}

// Follow yields the lines of a deployment, as Actions.Follow does.
func (s *Deployments) Follow(ctx context.Context, id string, from int64) iter.Seq2[Line, error] {
	return asking(ctx, s.f, "Deployments.Follow", []Subject{{SubjectDeployment, id}}, func(f *Forge) iter.Seq2[Line, error] {
		return func(yield func(Line, error) bool) {
			d, err := f.Deployments.Get(ctx, id)
			if err != nil {
				yield(Line{}, err)
				return
			}
			f.Actions.Follow(ctx, d.Action, from)(yield)
		}
	})
}

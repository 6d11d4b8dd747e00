package forge

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/seed-797f2c2c/forge/internal/deployscript"
	"github.com/seed-797f2c2c/forge/internal/git"
	"github.com/seed-797f2c2c/forge/internal/nginx"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// deploy notes which commit will be deployed and runs the site's deploy script
// as its user.
func (c *core) deploy(ctx context.Context, w *work) error {
	srv, err := w.server(ctx)
	if err != nil {
		return err
	}
	var d *Deployment
	var site *Site
	err = w.view(ctx, func(tx Tx) error {
		if d, err = tx.Deployments().Get(w.action.Subject.ID); err != nil {
			return err
		}
		site, err = tx.Sites().Get(d.Site)
		return err
	})
	if err != nil {
		return err
	}
	repo, err := c.repo(ctx, site, d.Branch)
	if err != nil {
		return err
	}
	if w.action.Cursor.Run == "" && site.Repository != "" {
		if err := w.stage(ctx, "commit"); err != nil {
			return err
		}
		if err := c.noteCommit(ctx, w, srv, site, repo, d); err != nil {
			return err
		}
	}
	spec, err := site.deployRun(d, repo)
	if err != nil {
		return err
	}
	if err := w.stage(ctx, "script"); err != nil {
		return err
	}
	spec.ID, spec.Fence = w.runID(), w.fence
	return w.detached(ctx, srv, srv.proxied(spec), nil)
}

// deployRun is the run of a deployment: the site's script, or the default one of
// its kind, as the site's user.
func (s *Site) deployRun(d *Deployment, repo git.Repo) (sshexec.RunSpec, error) {
	values := deployscript.Values{
		Path: s.onServer().Paths().Site, Branch: d.Branch, Domain: s.Domain, Commit: d.CommitHash,
	}
	if s.PHPVersion != "" {
		values.PHP = s.onServer().Paths().PHP
	}
	source := s.DeployScript
	if source == "" {
		source = deployscript.Default(nginx.Kind(s.Kind))
	}
	script, err := deployscript.Render(source, values)
	if err != nil {
		return sshexec.RunSpec{}, err
	}
	env := values.Env()
	if s.Repository != "" {
		maps.Copy(env, repo.Env())
	}
	return sshexec.RunSpec{Script: script, User: s.User, Dir: values.Path, Env: env}, nil
}

// noteCommit fetches what is to be deployed and notes which commit that is.
func (c *core) noteCommit(ctx context.Context, w *work, srv *Server, site *Site, repo git.Repo, d *Deployment) error {
	cmd, err := repo.Fetch(d.Commit)
	if err != nil {
		return err
	}
	cmd.Fence = w.fence
	result, err := c.client(srv).Run(ctx, srv.proxiedCommand(cmd))
	if err != nil {
		return w.gitError(site, git.Explain(err))
	}
	commit, err := git.ParseCommit(result.Stdout)
	if err != nil {
		return err
	}
	d.CommitHash = commit.Hash
	return w.update(ctx, func(t *txn, _ *Action) error {
		d, err := t.Deployments().Get(d.ID)
		if err != nil {
			return gone(err)
		}
		d.CommitHash, d.CommitMessage, d.CommitAuthor = commit.Hash, commit.Subject, commit.Author
		return t.Deployments().Update(d)
	})
}

// gitError makes the action wait where the git server may answer later.
func (w *work) gitError(site *Site, err error) error {
	const tries = 5
	var failed *git.Error
	if !errors.As(err, &failed) {
		return unreachable(err)
	}
	if failed.Outcome == git.Unreachable && w.action.Tries < tries {
		return &waiting{least: 3 * time.Second, most: 30 * time.Second, why: err}
	}
	text := failed.Error()
	if failed.Outcome == git.AccessRefused {
		text = site.refusal() + ": " + failed.Detail
	}
	return &failure{Failure{Reason: ReasonError, Message: text}}
}

// deployChanged keeps the deployment and its site in step.
func (c *core) deployChanged(t *txn, a *Action) error {
	d, err := orNone(t.Deployments().Get(a.Subject.ID))
	if d == nil {
		return err
	}
	to := DeploymentStatus(a.Status)
	if err := moveDeployment(t, d, to); err != nil {
		return err
	}
	switch {
	case a.Status == ActionRunning:
		d.Started = a.Started
	case a.Status.Ended():
		d.Finished = a.Finished
		if a.Failure != nil {
			d.Failure = failureText(a)
		}
	}
	if err := t.Deployments().Update(d); err != nil || a.Started.IsZero() {
		return err
	}
	site, err := orNone(t.Sites().Get(d.Site))
	if site == nil {
		return err
	}
	site.DeploymentStarted, site.DeploymentFinished = a.Started, a.Finished
	if a.Status == ActionFinished && site.Status == SiteInstalled {
		if err := moveSite(t, site, SiteDeployed, a.ID); err != nil {
			return err
		}
	}
	return t.Sites().Update(site)
}

package main

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
)

var (
	//go:embed deploy/origin.sh
	makeOrigin string
	//go:embed deploy/next.sh
	nextCommit string
	//go:embed deploy/script.sh
	deployScript string
)

const capistranoSite = "/home/forge/capistrano"

func deployRows() []row {
	return []row{
		{name: "deploy-cold", unit: "s", setup: setUpDeployCold},
		{name: "deploy-warm", unit: "s", setup: setUpDeployWarm},
	}
}

// deployable is a site that is deployed as Capistrano does it, from a repository on
// its server.
type deployable struct {
	*host
	site  *forge.Site
	path  string
	files int // in the repository
}

// setUpDeployWarm deploys over a connection that is open, from the trigger until it
// is finished.
func setUpDeployWarm(ctx context.Context, l *lab) (*trial, error) {
	d, err := l.deployable(ctx)
	if err != nil {
		return nil, err
	}
	c, err := l.connect(ctx, d.host)
	if err != nil {
		return nil, err
	}
	floor := func(context.Context) error { return d.overSession(c) }
	return d.trial(l, timed(func(ctx context.Context) error { return d.trigger(ctx, d.forge) }), floor)
}

// setUpDeployCold is the same by a Forge that has no connection yet.
func setUpDeployCold(ctx context.Context, l *lab) (*trial, error) {
	d, err := l.deployable(ctx)
	if err != nil {
		return nil, err
	}
	floor := func(ctx context.Context) error {
		c, err := d.dial(ctx)
		if err != nil {
			return err
		}
		return errors.Join(d.overSession(c), c.Close())
	}
	ours := func(ctx context.Context) (float64, error) {
		f, stop, err := l.run(ctx)
		if err != nil {
			return 0, err
		}
		took, err := timed(func(ctx context.Context) error { return d.trigger(ctx, f) })(ctx)
		return took, errors.Join(err, stop())
	}
	return d.trial(l, ours, floor)
}

func (l *lab) deployable(ctx context.Context) (*deployable, error) {
	if l.deploys != nil {
		return l.deploys, nil
	}
	h, err := l.inMemory(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.script(ctx, "forge", makeOrigin, strconv.Itoa(l.files)); err != nil {
		return nil, err
	}
	site, action, err := h.forge.Sites.Create(ctx, h.server.ID, forge.SiteOpts{
		Domain: "deploy.example.org", Kind: forge.StaticSite, User: "forge", DeployScript: deployScript,
	})
	if err == nil {
		_, err = h.forge.Actions.Wait(ctx, action.ID)
	}
	l.deploys = &deployable{host: h, site: site, files: l.files}
	if err == nil {
		l.deploys.path = "/home/forge/" + site.Directory
	}
	return l.deploys, err
}

func (d *deployable) trial(l *lab, ours measure, floor func(context.Context) error) (*trial, error) {
	script := func(ctx context.Context) error {
		cmd := d.ssh(ctx, d.command(), "-o", "KexAlgorithms=curve25519-sha256")
		cmd.Stdin = strings.NewReader(deployScript)
		return cmd.Run()
	}
	t := &trial{
		ours:  d.next(ours, d.path),
		peers: []peer{{"floor", d.next(timed(floor), d.path)}, {"ssh script", d.next(timed(script), d.path)}},
	}
	if there, err := l.has("cap"); !there {
		return t, err
	}
	capistrano, err := d.capistrano()
	t.peers = append(t.peers, peer{"capistrano", d.next(timed(capistrano), capistranoSite)})
	return t, err
}

// next checks, apart from what is measured, that the newest commit was deployed to a
// path, and makes another.
func (d *deployable) next(run measure, path string) measure {
	return func(ctx context.Context) (float64, error) {
		took, err := run(ctx)
		if err == nil {
			err = d.script(ctx, "forge", nextCommit, path, strconv.Itoa(d.files))
		}
		return took, err
	}
}

func (d *deployable) trigger(ctx context.Context, f *forge.Forge) error {
	deployment, err := f.Deployments.Trigger(ctx, d.site.ID, nil)
	if err == nil {
		_, err = f.Deployments.Wait(ctx, deployment.ID)
	}
	return err
}

// command runs the deploy script from its stdin.
func (d *deployable) command() string { return "FORGE_SITE_PATH=" + d.path + " bash -euo pipefail -s" }

func (d *deployable) overSession(c *ssh.Client) error {
	return runIn(c, d.command(), strings.NewReader(deployScript), nil)
}

package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// demo is one way from nothing to a deployed site.
type demo struct {
	options
	forge  *forge.Forge
	screen *screen

	server *forge.Server
	site   *forge.Site
}

func (d *demo) whole(ctx context.Context) error {
	started := time.Now()
	for _, part := range []func(context.Context) error{d.makeServer, d.goOn, d.syncKey, d.makeSite, d.deployAgain} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	d.screen.say("all of it took %s", time.Since(started).Round(time.Second))
	return nil
}

func (d *demo) makeServer(ctx context.Context) error {
	d.screen.title("a server with a web stack")
	php := d.php
	if php == "" {
		php = map[string]string{"debian-12": "8.2", "debian-13": "8.4", "ubuntu-22.04": "8.1", "ubuntu-24.04": "8.3"}[d.image]
	}
	run, err := d.run(ctx)
	if err != nil {
		return err
	}
	opts := forge.ServerOpts{
		IdempotencyKey: run, // what a run that was killed has begun, this one goes on with
		Name:           "quickstart", Provider: d.provider, Region: d.region, Size: d.size, Image: d.image,
		Labels: map[string]string{"made-by": "quickstart"},
		Stack: forge.Stack{
			PHP: []string{php}, Database: forge.MariaDB, Redis: true, Composer: true, Supervisor: true,
		},
	}
	if d.provider == "static" {
		opts.Address, opts.Port, opts.User = d.host, d.port, d.user
	}
	if d.region != "" {
		if err := d.showPrice(ctx); err != nil {
			return err
		}
	}
	server, action, err := d.forge.Servers.Create(ctx, opts)
	if err != nil {
		return err
	}
	d.server = server
	if err := d.screen.follow(ctx, action.ID); err != nil {
		return err
	}
	d.server, err = d.forge.Servers.Get(ctx, server.ID)
	return err
}

// showPrice says what the server will cost, or that it is not to be had.
func (d *demo) showPrice(ctx context.Context) error {
	catalog, err := d.forge.Servers.Catalog(ctx, d.provider)
	if err != nil {
		return err
	}
	if err := catalog.Check(provider.Spec{Region: d.region, Size: d.size, Image: d.image}); err != nil {
		return err
	}
	price, _ := catalog.Price(d.size, d.region)
	d.screen.say("a server of size %s in %s costs %s %s an hour, at most %s %s a month, before taxes", d.size, d.region,
		price.Hourly, price.Currency, price.Monthly, price.Currency)
	return nil
}

// run names this run, or the one that was killed and that this one continues: a
// run ends when it removes its server.
func (d *demo) run(ctx context.Context) (string, error) {
	ended := 0
	gone := forge.ServerFilter{Status: []forge.ServerStatus{forge.ServerDeleting, forge.ServerDeleted}}
	for _, err := range d.forge.Servers.All(ctx, gone) {
		if err != nil {
			return "", err
		}
		ended++
	}
	return fmt.Sprintf("run-%d", ended), nil
}

// goOn follows what a run that was killed has left under way.
func (d *demo) goOn(ctx context.Context) error {
	for action, err := range d.forge.Actions.All(ctx, forge.ActionFilter{Server: d.server.ID, Open: true}) {
		if err != nil {
			return err
		}
		if action.Parent != "" {
			continue // the log of its parent has it
		}
		d.screen.title(fmt.Sprintf("%s goes on", action.Kind))
		if err := d.screen.follow(ctx, action.ID); err != nil {
			return err
		}
	}
	return nil
}

// syncKey lets a new key log in as the user forge, and logs in with it.
func (d *demo) syncKey(ctx context.Context) error {
	d.screen.title("a key that may log in")
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return err
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	key, err := d.forge.Keys.Add(ctx, forge.KeyOpts{Name: "laptop", Public: string(ssh.MarshalAuthorizedKey(sshPublic))})
	if err != nil {
		return err
	}
	action, err := d.forge.Keys.Sync(ctx, key.ID, forge.Selector{Servers: []string{d.server.ID}, User: "forge"})
	if err != nil {
		return err
	}
	if err := d.screen.follow(ctx, action.ID); err != nil {
		return err
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(d.server.HostKeys[0]))
	if err != nil {
		return err
	}
	client, err := sshexec.Dial(ctx, sshexec.Target{
		Addr: net.JoinHostPort(d.server.Address, fmt.Sprint(d.server.Port)), User: "forge",
		Signers: []ssh.Signer{signer}, HostKeys: sshexec.Pinned(hostKey),
	})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	who, err := client.Run(ctx, sshexec.Command{Script: "id -un", User: "forge"})
	if err != nil {
		return err
	}
	d.screen.say("%s logs in as %s", key.Fingerprint, strings.TrimSpace(string(who.Stdout)))
	return nil
}

func (d *demo) makeSite(ctx context.Context) error {
	d.screen.title("a site from git")
	opts := forge.SiteOpts{IdempotencyKey: d.server.ID, Domain: d.domain, Repository: d.repo, Branch: d.branch}
	if d.repo == "" {
		if err := d.makeRepository(ctx, &opts); err != nil {
			return err
		}
	}
	site, action, err := d.forge.Sites.Create(ctx, d.server.ID, opts)
	if err != nil {
		return err
	}
	if err := d.screen.follow(ctx, action.ID); err != nil {
		return err
	}
	if d.site, err = d.forge.Sites.Get(ctx, site.ID); err != nil {
		return err
	}
	if d.site.Status == forge.SiteAwaitingAccess {
		if err := d.connect(ctx); err != nil {
			return err
		}
	}
	return d.showPage(ctx)
}

// connect gives the site's deploy key access to the repository and goes on.
func (d *demo) connect(ctx context.Context) error {
	if d.repo != "" {
		return fmt.Errorf("give this deploy key access to %s and run again: %s", d.repo, d.site.DeployKey)
	}
	if err := d.allow(ctx, d.site.DeployKey); err != nil {
		return err
	}
	d.screen.say("the key was given access to the repository")
	action, err := d.forge.Sites.Connect(ctx, d.site.ID)
	if err != nil {
		return err
	}
	return d.screen.follow(ctx, action.ID)
}

func (d *demo) deployAgain(ctx context.Context) error {
	d.screen.title("a second commit")
	if d.repo == "" {
		if err := d.push(ctx, "the second commit"); err != nil {
			return err
		}
	}
	deployment, err := d.forge.Deployments.Trigger(ctx, d.site.ID, nil)
	if err != nil {
		return err
	}
	if err := d.screen.follow(ctx, deployment.Action); err != nil {
		return err
	}
	if deployment, err = d.forge.Deployments.Get(ctx, deployment.ID); err != nil {
		return err
	}
	d.screen.say("deployed %.10s (%s) by %s in %s", deployment.CommitHash, deployment.CommitMessage,
		deployment.CommitAuthor, deployment.Duration().Round(time.Millisecond))
	return d.showPage(ctx)
}

// showPage fetches the site's page as a browser would.
func (d *demo) showPage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(d.server.Address, "80")+"/", nil)
	if err != nil {
		return err
	}
	req.Host = d.domain
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err != nil {
		return err
	}
	d.screen.say("GET http://%s/ says %s:", d.domain, res.Status)
	for line := range strings.Lines(string(body)) {
		d.screen.page(strings.TrimSuffix(line, "\n"))
	}
	return nil
}

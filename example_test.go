package forge_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// A program that makes a server on the local Linux box, sets a site up on it
// from git, and prints every line while that happens.
func Example() {
	ctx := context.Background()
	machines, err := nspawn.New(nspawn.Config{})
	if err != nil {
		log.Fatal(err)
	}
	f, err := forge.New(forge.Config{
		Store:     memory.New(memory.Config{}),
		Providers: map[string]provider.Provider{"local": machines},
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(f.Run(ctx)) }()

	server, action, err := f.Servers.Create(ctx, forge.ServerOpts{
		Name: "web-1", Provider: "local", Image: "debian-12",
		Stack: forge.Stack{PHP: []string{"8.2"}, Database: forge.MariaDB, Composer: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	for line, err := range f.Actions.Follow(ctx, action.ID, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(line.Printable())
	}

	site, action, err := f.Sites.Create(ctx, server.ID, forge.SiteOpts{
		Domain: "example.com", Repository: "https://github.com/laravel/laravel.git", Branch: "12.x",
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println(site.Domain, "is served by", server.Name)
}

// newForge makes a Forge without machines, for the examples.
func newForge() *forge.Forge {
	f, err := forge.New(forge.Config{
		Store:     memory.New(memory.Config{}),
		Providers: map[string]provider.Provider{"cloud": providertest.NewFake(providertest.FakeConfig{})},
	})
	if err != nil {
		log.Fatal(err)
	}
	return f
}

// What cannot be had is refused before anything is made.
func ExampleServers_Create() {
	f := newForge()
	_, _, err := f.Servers.Create(context.Background(), forge.ServerOpts{
		Name: "web_1", Provider: "cloud",
	})
	var invalid *forge.Error
	if errors.As(err, &invalid) && errors.Is(err, forge.ErrInvalid) {
		fmt.Println(invalid.Field)
	}
	_, _, err = f.Servers.Create(context.Background(), forge.ServerOpts{
		Name: "web-1", Provider: "cloud", Image: "debian-12", Stack: forge.Stack{PHP: []string{"8.3"}},
	})
	if errors.As(err, &invalid) {
		fmt.Println(invalid.Field)
	}
	// Output:
	// name
	// php
}

func ExampleKeys_Add() {
	f := newForge()
	key, err := f.For("acme").Keys.Add(context.Background(), forge.KeyOpts{
		Name:   "laptop",
		Public: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@example.org",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Type, key.Fingerprint, key.Comment)
	// Another owner does not see it.
	_, err = f.For("other").Keys.Get(context.Background(), key.ID)
	fmt.Println(errors.Is(err, forge.ErrNotFound))
	// Output:
	// ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU ada@example.org
	// true
}

// A key is let in on some servers, and the state of each is asked for.
func ExampleKeys_Sync() {
	ctx, f := context.Background(), newForge()
	web := forge.Selector{Labels: map[string]string{"role": "web"}, User: "forge"}
	action, err := f.Keys.Sync(ctx, "the key's id", web)
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Print(err) // names the servers, each with its reason
		if _, err = f.Keys.Retry(ctx, action.ID); err != nil {
			log.Fatal(err)
		}
	}
	for g, err := range f.Keys.AllGrants(ctx, forge.GrantFilter{Key: "the key's id"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(g.Server, g.User, g.Status, g.Failure)
	}
	// Output:
	// true
}

// A site without a repository yet, and one whose repository has to let the
// site's deploy key in first.
func ExampleSites_Create() {
	ctx, f := context.Background(), newForge()
	site, action, err := f.Sites.Create(ctx, "the server's id", forge.SiteOpts{
		Domain: "shop.example.com", Aliases: []string{"www.shop.example.com"},
		Repository: "git@github.com:acme/shop.git",
	})
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	if site, err = f.Sites.Get(ctx, site.ID); err != nil {
		log.Fatal(err)
	}
	if site.Status == forge.SiteAwaitingAccess {
		fmt.Println("give this key access to the repository, and call Connect:", site.DeployKey)
	}
	// Output:
	// true
}

// A program that listens on the server is served by nginx, WebSockets and all.
func ExampleSites_Create_proxy() {
	ctx, f := context.Background(), newForge()
	site, action, err := f.Sites.Create(ctx, "the server's id", forge.SiteOpts{
		Domain: "chat.example.com", Kind: forge.ProxySite, Upstream: "127.0.0.1:3000",
		Repository: "git@github.com:acme/chat.git", DeployScript: "cd {{SITE_PATH}} && git reset --hard \"$FORGE_DEPLOY_COMMIT\" && make",
	})
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println(site.Domain, "passes requests to", site.Upstream)
	// Output:
	// true
}

// A site gets another domain, and keeps the old one as an alias.
func ExampleSites_Update() {
	ctx, f := context.Background(), newForge()
	domain, aliases := "shop.example.org", []string{"shop.example.com"}
	site, action, err := f.Sites.Update(ctx, "the site's id", forge.SiteUpdate{Domain: &domain, Aliases: &aliases})
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err) // the site has its old names again
	}
	fmt.Println(site.Domain, "is served from", site.Directory)
	// Output:
	// true
}

// The environment file of a site is replaced whole. What is not Plain is masked
// in what the site's deployments print.
func ExampleSites_SetEnvironment() {
	ctx, f := context.Background(), newForge()
	action, err := f.Sites.SetEnvironment(ctx, "the site's id", []forge.EnvVar{
		{Name: "APP_ENV", Value: secret.New("production"), Plain: true},
		{Name: "APP_KEY", Value: secret.New("it's $ecret, with \"quotes\"\nand lines")},
	})
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	vars, err := f.Sites.Environment(ctx, "the site's id")
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range vars {
		fmt.Println(v.Name, v.Value) // a value shows with Reveal alone
	}
	// Output:
	// true
}

// A private repository over https is read with a token that can do no more than
// that. When it is about to expire, another takes its place.
func ExampleSites_SetToken() {
	ctx, f := context.Background(), newForge()
	site, _, err := f.Sites.Create(ctx, "the server's id", forge.SiteOpts{
		Domain: "shop.example.com", Repository: "https://gitlab.com/acme/shop.git",
		RepositoryUser: "oauth2", RepositoryToken: secret.New("glpat-first"),
	})
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	if err := f.Sites.SetToken(ctx, site.ID, secret.New("glpat-second")); err != nil {
		log.Fatal(err)
	}
	if site.Status == forge.SiteAwaitingAccess { // the first was refused
		if _, err := f.Sites.Connect(ctx, site.ID); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// true
}

// A deployment is followed line by line, as it is printed.
func ExampleDeployments_Trigger() {
	ctx, f := context.Background(), newForge()
	d, err := f.Deployments.Trigger(ctx, "the site's id", &forge.DeployOpts{Branch: "main"})
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	for line, err := range f.Deployments.Follow(ctx, d.ID, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(line.Number, line.Printable())
	}
	if d, err = f.Deployments.Wait(ctx, d.ID); err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.CommitHash, "took", d.Duration())
	// Output:
	// true
}

// An action that a worker is not there for is cancelled at once.
func ExampleActions_Cancel() {
	ctx, f := context.Background(), newForge()
	_, action, err := f.Servers.Create(ctx, forge.ServerOpts{Name: "web-1", Provider: "cloud"})
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Actions.Cancel(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	_, err = f.Actions.Wait(ctx, action.ID)
	fmt.Println(err)
	// Output:
	// create_server cancelled
}

// Every change comes as an event, with a sequence from which a reader who was
// cut off goes on.
func ExampleForge_Events() {
	ctx, f := context.Background(), newForge()
	server, _, err := f.Servers.Create(ctx, forge.ServerOpts{Name: "web-1", Provider: "cloud"})
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range f.Events(ctx, &forge.EventFilter{After: forge.Beginning, Server: server.ID}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Subject.Kind, e.Type, e.To)
		break
	}
	// Output:
	// server status pending
}

// A server that is archived is left alone until it is wanted again.
func ExampleServers_Archive() {
	ctx, f := context.Background(), newForge()
	server, action, err := f.Servers.Create(ctx, forge.ServerOpts{Name: "web-1", Provider: "cloud"})
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Actions.Cancel(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	if err := f.Servers.Archive(ctx, server.ID); err != nil {
		log.Fatal(err)
	}
	_, err = f.Servers.Retry(ctx, server.ID)
	fmt.Println(err)
	if err := f.Servers.Unarchive(ctx, server.ID); err != nil {
		log.Fatal(err)
	}
	server, err = f.Servers.Get(ctx, server.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Status)
	// Output:
	// not possible in this state: the server is archived; unarchive it first
	// error
}

// A reboot is finished when the machine is back.
func ExampleServers_Reboot() {
	ctx, f := context.Background(), newForge()
	action, err := f.Servers.Reboot(ctx, "the server's id")
	if err != nil {
		fmt.Println(errors.Is(err, forge.ErrNotFound))
		return
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	// Output:
	// true
}

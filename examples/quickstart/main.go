// Quickstart goes the whole way on one machine: it makes a server, installs a
// stack, lets a key log in, creates a PHP site from a git repository, deploys
// it, deploys a second commit, and fetches the page that this changed.
//
//	quickstart                                    a Debian machine on this Linux box, removed in the end
//	quickstart -keep                              ... that stays
//	quickstart -provider static -host 192.0.2.7   a machine of your own, by ssh as root
//	quickstart -provider hetzner                  ... at a cloud, with the token in HCLOUD_TOKEN
//	quickstart -provider digitalocean             ... with the token in DIGITALOCEAN_TOKEN
//	quickstart -repo git@github.com:you/site.git  your own repository
//	quickstart -state demo.db                     what it knows is in a file: killed and started again, it goes on
//	quickstart -clean                             remove what it and the other examples have left
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/state"
	"github.com/seed-797f2c2c/forge/provider"
)

type options struct {
	provider string
	host     string
	port     int
	user     string
	key      string
	region   string
	size     string
	image    string
	php      string
	repo     string
	branch   string
	domain   string
	state    string
	keep     bool
	clean    bool
}

func main() {
	var o options
	flag.StringVar(&o.provider, "provider", "nspawn", "where the server comes from: nspawn, static, digitalocean or hetzner")
	flag.StringVar(&o.host, "host", "", "address of the machine, for static")
	flag.IntVar(&o.port, "port", 22, "SSH port of the machine, for static")
	flag.StringVar(&o.user, "user", "root", "login user: root, or one with sudo without a password, for static")
	flag.StringVar(&o.key, "key", "", "private key file for the first login, for static (default ~/.ssh/id_ed25519)")
	flag.StringVar(&o.region, "region", "", "region of the server, at a cloud (default one in Germany)")
	flag.StringVar(&o.size, "size", "", "size of the server, at a cloud (default a small one)")
	flag.StringVar(&o.image, "image", "debian-12", "distribution of the server")
	flag.StringVar(&o.php, "php", "", "version of PHP (default that of the distribution)")
	flag.StringVar(&o.repo, "repo", "", "git repository to deploy (default one that is made on the server)")
	flag.StringVar(&o.branch, "branch", "main", "branch to deploy")
	flag.StringVar(&o.domain, "domain", "demo.test", "domain of the site")
	flag.StringVar(&o.state, "state", "", "file for what it knows, so that it goes on when it was killed (default in memory)")
	flag.BoolVar(&o.keep, "keep", false, "keep the server")
	flag.BoolVar(&o.clean, "clean", false, "remove the machines that this and the other examples have left, and stop")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := o.newProvider()
	if err != nil {
		return err
	}
	if o.clean {
		return clean(ctx, p)
	}
	if err := p.Validate(ctx); err != nil {
		return err
	}

	kept, err := state.Open(ctx, o.state)
	if err != nil {
		return err
	}
	f, err := forge.New(forge.Config{
		Store: kept.Store, Sealer: kept.Sealer,
		Providers: map[string]provider.Provider{o.provider: p},
	})
	if err != nil {
		return err
	}
	if err := f.CheckSealer(ctx); err != nil {
		return err
	}
	// The workers outlive Ctrl-C, as they do the cleaning up.
	work, stopWork := context.WithCancel(context.Background())
	worked := make(chan error, 1)
	go func() { worked <- f.Run(work) }()

	d := &demo{options: o, forge: f, screen: newScreen(f)}
	err = d.whole(ctx)
	interrupted := ctx.Err() != nil
	stop() // a second Ctrl-C ends the program at once
	err = errors.Join(err, d.cleanUp(interrupted))
	d.screen.close()
	stopWork()
	if interrupted {
		err = errors.New("interrupted")
	}
	return errors.Join(err, <-worked, f.Close(), kept.Close())
}

// clean removes what earlier runs left at the provider, and other examples by
// -state or when they were killed. A file of -state still has their records then.
func clean(ctx context.Context, p provider.Provider) error {
	l, ok := p.(provider.Lister)
	if !ok {
		return errors.New("this provider makes no machines, so there is nothing to remove")
	}
	machines, err := l.List(ctx)
	if err != nil {
		return err
	}
	removed := 0
	for _, m := range machines {
		if !slices.Contains([]string{"quickstart", "steps", "follow", "events", "webhook"}, m.Labels["made-by"]) {
			continue
		}
		fmt.Println("removing", m.Name, m.Address)
		if err := p.Delete(ctx, m.ID); err != nil {
			return err
		}
		removed++
	}
	if removed > 0 {
		fmt.Println("files of -state still name them: remove those too")
	}
	return nil
}

// cleanUp removes the server, or says that it is left and how to remove it.
func (d *demo) cleanUp(interrupted bool) error {
	if d.server == nil {
		return nil
	}
	if d.provider == "static" || d.keep && !interrupted {
		d.screen.say("the server %s stays: ssh root@%s; %s", d.server.Name, d.server.Address, d.removal())
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	d.screen.say("removing the server")
	action, err := d.forge.Servers.Delete(ctx, d.server.ID, &forge.DeleteOpts{Force: true})
	if err == nil {
		_, err = d.forge.Actions.Wait(ctx, action.ID)
	}
	if err != nil {
		return fmt.Errorf("the server %s is left (%s): %w", d.server.Name, d.removal(), err)
	}
	return nil
}

func (d *demo) removal() string {
	if d.provider == "static" {
		return "the machine is your own, and what was installed on it stays"
	}
	return "remove it with: go run ./examples/quickstart -clean"
}

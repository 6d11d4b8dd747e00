// Follow deploys a site and follows the deployment as a reader whose connection
// is bad: it is cut off after every third line, and goes on at the number after
// the last line that it saw. Nothing is missing and nothing comes twice. It
// needs root, as its server is a machine on this Linux box, which is removed in the
// end. With -state FILE it stays, and the next start deploys at once.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/state"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func main() {
	stateFile := flag.String("state", "", "file for what it knows, so that it goes on when it is started again (default in memory)")
	flag.Parse()
	if err := run(*stateFile); err != nil {
		fmt.Fprintln(os.Stderr, "follow:", err)
		os.Exit(1)
	}
}

func run(stateFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	machines, err := nspawn.New(nspawn.Config{})
	if err != nil {
		return err
	}
	kept, err := state.Open(ctx, stateFile)
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	f, err := forge.New(forge.Config{
		Store: kept.Store, Sealer: kept.Sealer,
		Providers: map[string]provider.Provider{"local": machines},
	})
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	worked := make(chan error, 1)
	go func() { worked <- f.Run(work) }()
	defer func() { stopWork(); <-worked }()

	server, action, err := f.Servers.Create(ctx, forge.ServerOpts{
		Name: "web-1", Provider: "local", Labels: map[string]string{"made-by": "follow"}, IdempotencyKey: "web-1",
	})
	if err != nil {
		return err
	}
	if stateFile == "" { // otherwise the next start goes on with it
		defer remove(context.WithoutCancel(ctx), f, server.ID)
	}
	fmt.Println("installing", server.Name)
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		return err
	}
	site, action, err := f.Sites.Create(ctx, server.ID, forge.SiteOpts{
		Domain: "example.test", Kind: forge.StaticSite, IdempotencyKey: "site",
		DeployScript: "for n in 1 2 3 4 5 6 7 8; do echo \"building part $n\"; sleep 0.3; done\necho hello >index.html",
	})
	if err != nil {
		return err
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		return err
	}
	deployment, err := f.Deployments.Trigger(ctx, site.ID, nil)
	if err != nil {
		return err
	}
	if err := follow(ctx, f, deployment.ID); err != nil {
		return err
	}
	deployment, err = f.Deployments.Wait(ctx, deployment.ID)
	if err != nil {
		return err
	}
	fmt.Println("deployment", deployment.Status, "in", deployment.Duration().Round(1e7))
	return nil
}

// follow prints the lines of a deployment, and begins anew after every third.
func follow(ctx context.Context, f *forge.Forge, id string) error {
	next := int64(0)
	for {
		seen := 0
		for line, err := range f.Deployments.Follow(ctx, id, next) {
			if err != nil {
				return err
			}
			fmt.Printf("%3d  %s\n", line.Number, line.Printable())
			next = line.Number + 1
			if seen++; seen == 3 {
				break
			}
		}
		if seen < 3 {
			return nil // the deployment has ended
		}
		fmt.Println("     (cut off)")
	}
}

func remove(ctx context.Context, f *forge.Forge, id string) {
	action, err := f.Servers.Delete(ctx, id, &forge.DeleteOpts{Force: true})
	if err == nil {
		_, err = f.Actions.Wait(ctx, action.ID)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the server is left:", err)
	}
}

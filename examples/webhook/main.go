// Webhook deploys a site whenever somebody pushes to its repository, and whenever
// its deploy URL is called. It prints what to enter at GitHub, GitLab, Gitea,
// Forgejo or Bitbucket:
//
//	webhook -repo https://github.com/you/site.git -branch main -url https://hooks.example.com
//
// It needs root, as its server is a machine on this Linux box, which is removed in
// the end; with -state FILE it stays, and the next start goes on with it. Something
// that ends TLS, as nginx or a tunnel, stands before it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/state"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	url := flag.String("url", "http://127.0.0.1:8080", "how that is reached from outside")
	repo := flag.String("repo", "", "public git repository of a static site; without it, a page is made up")
	branch := flag.String("branch", "main", "branch to deploy")
	stateFile := flag.String("state", "", "file for what it knows, so that it goes on when it is started again (default in memory)")
	flag.Parse()
	if err := run(*listen, *url, *repo, *branch, *stateFile); err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		os.Exit(1)
	}
}

func run(listen, url, repo, branch, stateFile string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
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
		Name: "web-1", Provider: "local", Labels: map[string]string{"made-by": "webhook"}, IdempotencyKey: "web-1",
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
	opts := forge.SiteOpts{
		Domain: "site.example.com", Kind: forge.StaticSite, Repository: repo, Branch: branch, IdempotencyKey: "site",
	}
	if repo == "" {
		opts.DeployScript = "cd {{SITE_PATH}}\ndate | tee index.html"
	}
	site, action, err := f.Sites.Create(ctx, server.ID, opts)
	if err != nil {
		return err
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		return err
	}
	if err := show(ctx, f, url+"/hooks/"+site.ID, site.ID); err != nil {
		return err
	}
	go watch(ctx, f, site.ID)
	return serve(ctx, listener, f)
}

// show prints what others need. Whoever has it can deploy.
func show(ctx context.Context, f *forge.Forge, address, siteID string) error {
	secret, err := f.Hooks.Secret(ctx, siteID, forge.Webhook)
	if err != nil {
		return err
	}
	token, err := f.Hooks.Secret(ctx, siteID, forge.DeployURL)
	if err != nil {
		return err
	}
	fmt.Println("payload URL: ", address)
	fmt.Println("content type: application/json")
	fmt.Println("secret:      ", secret.Reveal())
	fmt.Println("deploy URL:   curl -X POST", address+"/"+token.Reveal())
	return nil
}

// serve answers until ctx is done, and then finishes what it has begun.
func serve(ctx context.Context, listener net.Listener, f *forge.Forge) error {
	mux := http.NewServeMux()
	mux.Handle("/hooks/", http.StripPrefix("/hooks", f.Hooks.Handler()))
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second, // the handler bounds the time of a body
		WriteTimeout:      time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// watch prints what becomes of the deployments.
func watch(ctx context.Context, f *forge.Forge, siteID string) {
	for event, err := range f.Events(ctx, &forge.EventFilter{Types: []forge.EventType{forge.EventStatus}}) {
		if err != nil {
			return
		}
		if event.Subject.Kind != forge.SubjectDeployment {
			continue
		}
		d, err := f.Deployments.Get(ctx, event.Subject.ID)
		if err == nil && d.Site == siteID {
			fmt.Println(event.Time.Format(time.TimeOnly), "deployment", event.To, d.CommitHash)
		}
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

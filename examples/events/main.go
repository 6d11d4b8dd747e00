// Events shows a web page with every change, as it happens. Open the address that
// it prints, and post to /servers to have something happen:
//
//	curl -X POST localhost:8080/servers
//
// It needs root, as its servers are machines on this Linux box; they are removed
// in the end. With -state FILE they stay, and are there at the next start.
package main

import (
	"context"
	_ "embed"
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

//go:embed page.html
var page []byte

func main() {
	address := flag.String("listen", "127.0.0.1:8080", "address of the page")
	stateFile := flag.String("state", "", "file for what it knows, so that it goes on when it is started again (default in memory)")
	flag.Parse()
	if err := run(*address, *stateFile); err != nil {
		fmt.Fprintln(os.Stderr, "events:", err)
		os.Exit(1)
	}
}

func run(address, stateFile string) error {
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

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	server := &http.Server{
		Handler: handler(f), ReadHeaderTimeout: 5 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends the streams
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	err = server.Shutdown(ctx)
	if stateFile != "" {
		return err
	}
	return errors.Join(err, removeAll(ctx, f))
}

func handler(f *forge.Forge) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page) })
	mux.Handle("GET /events", sse(f))
	mux.HandleFunc("POST /servers", func(w http.ResponseWriter, r *http.Request) {
		server, _, err := f.Servers.Create(r.Context(), forge.ServerOpts{
			Name: "web-1", Provider: "local", Labels: map[string]string{"made-by": "events"},
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprintln(w, server.ID)
	})
	return mux
}

func removeAll(ctx context.Context, f *forge.Forge) error {
	var failed error
	for server, err := range f.Servers.All(ctx, forge.ServerFilter{}) {
		if err != nil {
			return errors.Join(failed, err)
		}
		action, err := f.Servers.Delete(ctx, server.ID, &forge.DeleteOpts{Force: true})
		if err == nil {
			_, err = f.Actions.Wait(ctx, action.ID)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

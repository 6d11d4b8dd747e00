package forge_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// Logs are kept for a month, and all else for a year. Processes that work see to
// it by themselves; Purge does it now.
func ExampleRetention() {
	const day = 24 * time.Hour
	f, err := forge.New(forge.Config{
		Store: memory.New(memory.Config{}),
		Retention: forge.Retention{
			Logs: 30 * day, Actions: 365 * day, Deliveries: 365 * day, Events: 30 * day, DeletedServers: 365 * day,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	purged, err := f.Purge(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(purged.Logs, "logs and", purged.Actions, "actions were too old")
	// Output:
	// 0 logs and 0 actions were too old
}

// A log is read in parts, here by a handler of a web page.
func ExampleActions_Log() {
	f, mux := newForge(), http.NewServeMux()
	mux.HandleFunc("GET /actions/{id}/log", func(w http.ResponseWriter, r *http.Request) {
		for line, err := range f.Actions.Log(r.Context(), r.PathValue("id"), 100, 200) {
			if err != nil {
				http.Error(w, err.Error(), http.StatusNotFound)
				return
			}
			_, _ = fmt.Fprintln(w, line.Number, line.Text) // escape it where it becomes HTML
		}
	})
}

// A whole log is sent to a browser, which saves it.
func ExampleActions_Download() {
	f, mux := newForge(), http.NewServeMux()
	mux.HandleFunc("GET /actions/{id}/log.txt", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", "attachment")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		n, err := f.Actions.Download(r.Context(), r.PathValue("id"), w)
		if err != nil && n == 0 {
			w.Header().Del("Content-Disposition")
			http.Error(w, err.Error(), http.StatusNotFound)
		}
	})

	_, err := f.Actions.Download(context.Background(), "an action's id", os.Stdout)
	fmt.Println(errors.Is(err, forge.ErrNotFound))
	// Output:
	// true
}

// All that is left of a customer is removed, once the servers are deleted.
func ExampleForge_PurgeOwner() {
	ctx, f := context.Background(), newForge()
	server, action, err := f.For("acme").Servers.Create(ctx, forge.ServerOpts{Name: "web-1", Provider: "cloud"})
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Actions.Cancel(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	_, err = f.PurgeOwner(ctx, "acme")
	fmt.Println(errors.Is(err, forge.ErrState), server.Name)
	// Output:
	// true web-1
}

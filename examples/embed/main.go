// Embed is a web program with forge in it, that leaves the work to processes as
// examples/worker is one. See that for DATABASE_URL and FORGE_KEYSET.
//
//	embed -listen 127.0.0.1:8080
//	curl -H 'Account: acme' -d name=web-1 -d address=192.0.2.7 localhost:8080/servers
//	curl -H 'Account: acme' localhost:8080/actions/ID/log
//
// It says how it is at /healthz, /readyz and /metrics.
package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/ops"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue/river"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to listen on")
	flag.Parse()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if err := run(logger, *listen); err != nil {
		logger.Error("the web process ends", "error", err)
		os.Exit(1)
	}
}

func run(logger *slog.Logger, listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	keys, err := tink.FromEnv("FORGE_KEYSET")
	if err != nil {
		return err
	}
	db, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	store, err := postgres.New(postgres.Config{Pool: db})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	queue, err := river.New(river.Config{Pool: db, Logger: logger})
	if err != nil {
		return err
	}
	if err := errors.Join(store.Migrate(ctx), queue.Migrate(ctx)); err != nil {
		return err
	}
	metrics, err := ops.NewMetrics(db)
	if err != nil {
		return err
	}
	f, err := forge.New(forge.Config{
		Store: store, Queue: queue, Sealer: keys, Logger: logger, Observe: metrics.Observe,
		Providers: map[string]provider.Provider{"own": static.New(static.Config{})},
	})
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := f.CheckSealer(ctx); err != nil {
		return err
	}

	mux := http.NewServeMux()
	if err := metrics.Handle(mux, f); err != nil {
		return err
	}
	(&handlers{f, logger}).handle(mux)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	logger.Info("serving", "listen", listener.Addr().String())
	return ops.Serve(ctx, listener, mux)
}

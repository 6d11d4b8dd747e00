// Worker is the process that works, for web processes as examples/embed is one.
// There may be any number of either; all they share is a PostgreSQL and a keyset.
//
//	export DATABASE_URL=postgres:///app FORGE_KEYSET="$(worker -keyset)"
//	worker -listen 127.0.0.1:9090 -key ~/.ssh/id_ed25519
//
// It says how it is at /healthz, /readyz and /metrics. When it is told to end, it
// hands back what it has not finished; when it is killed, others find out within
// 15 seconds. Either way the work goes on elsewhere, and what runs on servers is
// not interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/examples/internal/ops"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue/river"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9090", "address for health and metrics")
	key := flag.String("key", "", "private key that new machines accept")
	keyset := flag.Bool("keyset", false, "print a new keyset, and stop")
	flag.Parse()
	logger := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	work := func() error { return run(logger, *listen, *key) }
	if *keyset {
		work = printKeyset
	}
	if err := work(); err != nil {
		logger.Error("the worker ends", "error", err)
		os.Exit(1)
	}
}

func run(logger *slog.Logger, listen, key string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	signers, err := readSigners(key)
	if err != nil {
		return err
	}
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
		Providers: map[string]provider.Provider{"own": static.New(static.Config{Signers: signers})},
	})
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()

	mux := http.NewServeMux()
	if err := metrics.Handle(mux, f); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	logger.Info("working", "listen", listener.Addr().String())
	all, ctx := errgroup.WithContext(ctx)
	all.Go(func() error { return f.Run(ctx) })
	all.Go(func() error { return ops.Serve(ctx, listener, mux) })
	return all.Wait()
}

// readSigners reads the key for the first login; after that, each server has one
// of its own.
func readSigners(file string) ([]ssh.Signer, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(pem)
	return []ssh.Signer{signer}, err
}

func printKeyset() error {
	keys, err := tink.New()
	if err != nil {
		return err
	}
	_, err = fmt.Println(keys.Text().Reveal())
	return err
}

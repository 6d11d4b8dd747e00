package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/queue/river"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// settings are what the processes of a platform have in common.
type settings struct {
	URL    string            // of PostgreSQL
	Schema string            // of the store
	River  string            // schema of the queue
	Keyset string            // file with the keys that seal
	Images map[string]string // nspawn.Config.Images
}

// opened is a Forge with what it stands on.
type opened struct {
	*forge.Forge
	store *postgres.Store
	queue *river.Queue
	pool  *pgxpool.Pool
}

func (s settings) open(ctx context.Context, log *slog.Logger) (o *opened, err error) {
	o = &opened{}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if o.pool, err = pgxpool.New(ctx, s.URL); err != nil {
		return nil, err
	}
	if o.store, err = postgres.New(postgres.Config{Pool: o.pool, Schema: s.Schema}); err != nil {
		return nil, err
	}
	if o.queue, err = river.New(river.Config{Pool: o.pool, Schema: s.River, Logger: log}); err != nil {
		return nil, err
	}
	keys, err := tink.Open(s.Keyset)
	if err != nil {
		return nil, err
	}
	machines, err := nspawn.New(nspawn.Config{Images: s.Images, SuppressSync: true, Logger: log})
	if err != nil {
		return nil, err
	}
	o.Forge, err = forge.New(forge.Config{
		Store: o.store, Queue: o.queue, Sealer: keys, Logger: log,
		Providers: map[string]provider.Provider{"local": machines},
	})
	return o, err
}

func (o *opened) migrate(ctx context.Context) error {
	return errors.Join(o.store.Migrate(ctx), o.queue.Migrate(ctx))
}

func (o *opened) close() error {
	var errs []error
	if o.Forge != nil {
		errs = append(errs, o.Close())
	}
	if o.store != nil {
		errs = append(errs, o.store.Close())
	}
	if o.pool != nil {
		o.pool.Close()
	}
	return errors.Join(errs...)
}

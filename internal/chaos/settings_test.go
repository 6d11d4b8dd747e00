package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/queue/river"
	"github.com/seed-797f2c2c/forge/secret/tink"
	"github.com/seed-797f2c2c/forge/store/postgres"
	"github.com/seed-797f2c2c/forge/store/sqlite"
)

// lease is short, so that what a dead worker held is soon handed out.
const lease = 2 * time.Second

// settingsVariable makes the test binary a worker, with settings in JSON.
const settingsVariable = "FORGE_CHAOS_WORKER"

// settings are what the processes of one test have in common.
type settings struct {
	Worker string // names the process
	File   string // of SQLite; empty for PostgreSQL
	URL    string // of PostgreSQL
	Schema string // of the store
	River  string // schema of the queue; empty for a queue in each process
	Keyset string // file with the keys that seal
	Images map[string]string
	Cloud  string // socket of the cloud
	Gated  bool   // the process asks the cloud before it writes to the store
}

func (s settings) json() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// durable is what all the stores here are.
type durable interface {
	forge.Store
	forge.Notifier
}

// opened is a Forge with all that it stands on.
type opened struct {
	*forge.Forge
	store   durable
	closers []func() error
}

// open opens what is described. Where migrate is set, it makes the tables.
func (s settings) open(ctx context.Context, log *slog.Logger, migrate bool) (o *opened, err error) {
	o = &opened{}
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	q, err := s.openStore(ctx, o, log, migrate)
	if err != nil {
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
	far := newClient(s.Cloud)
	o.closers = append(o.closers, far.close)
	if s.Gated {
		o.store = &gatedStore{durable: o.store, worker: s.Worker, cloud: far, log: log}
	}
	o.Forge, err = forge.New(forge.Config{
		Store: o.store, Queue: q, Sealer: keys, Lease: lease, Logger: log,
		Providers: map[string]provider.Provider{"local": machines, "cloud": far},
	})
	if err == nil {
		o.closers = append(o.closers, o.Close)
	}
	return o, err
}

func (s settings) openStore(ctx context.Context, o *opened, log *slog.Logger, migrate bool) (queue.Queue, error) {
	memory := queuememory.New(queuememory.Config{Logger: log})
	if s.File != "" {
		store, err := sqlite.Open(ctx, s.File)
		if err != nil {
			return nil, err
		}
		o.store = store
		o.closers = append(o.closers, store.Close)
		return memory, nil
	}
	config, err := pgxpool.ParseConfig(s.URL)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 12
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	o.closers = append(o.closers, func() error { pool.Close(); return nil })
	store, err := postgres.New(postgres.Config{Pool: pool, Schema: s.Schema})
	if err != nil {
		return nil, err
	}
	o.store = store
	o.closers = append(o.closers, store.Close)
	if migrate {
		if err := store.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	if s.River == "" {
		return memory, nil
	}
	q, err := river.New(river.Config{Pool: pool, Schema: s.River, Logger: log})
	if err == nil && migrate {
		err = q.Migrate(ctx)
	}
	return q, err
}

// close closes the last one first.
func (o *opened) close() error {
	var errs []error
	for i := len(o.closers) - 1; i >= 0; i-- {
		errs = append(errs, o.closers[i]())
	}
	return errors.Join(errs...)
}

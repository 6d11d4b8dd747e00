package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// lab is where rows are measured: how large things are there, and what rows share,
// which is made when the first one asks for it.
type lab struct {
	lines  int               // that a run prints
	large  int               // bytes of a large file
	small  int               // number of small files
	few    int               // hosts of a small fleet
	many   int               // hosts of a large one
	crowd  int               // servers that are idle
	calls  int               // one after the other
	rest   time.Duration     // how long what idles is watched
	files  int               // in a repository
	jobs   int               // that a queue hands out
	single int               // jobs that come one by one
	image  string            // of the machines
	images map[string]string // nspawn.Config.Images
	dir    string            // for files
	some   bool              // peers that are not installed are left out
	log    *slog.Logger

	local   *host          // see inMemory
	fleets  map[int]*fleet // by the number of hosts; see fleet
	url     string         // see postgres
	pool    *pgxpool.Pool  // see pgPool
	config  forge.Config   // see inMemory
	deploys *deployable    // see deployable
	closers []func() error
}

func newLab(log io.Writer) (*lab, error) {
	dir, err := os.MkdirTemp("", "forge-bench-")
	if err != nil {
		return nil, err
	}
	return &lab{
		lines: 1_000_000, large: 256 << 20, small: 2000, files: 200, jobs: 100_000, single: 200,
		few: 50, many: 500, crowd: 1000, calls: 300, rest: 10 * time.Second,
		fleets: map[int]*fleet{}, image: "debian-12", dir: dir,
		log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, nil
}

// close removes what was made, the last first, and joins its error to one.
func (l *lab) close(err error) error {
	for i := len(l.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, l.closers[i]())
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

// inMemory is a server of a Forge whose store and workers are in this process.
func (l *lab) inMemory(ctx context.Context) (*host, error) {
	if l.local != nil {
		return l.local, nil
	}
	machines, err := l.machines()
	if err != nil {
		return nil, err
	}
	l.config = forge.Config{
		Store: memory.New(memory.Config{}), Sealer: secret.NewEphemeral(), Logger: l.log,
		Providers: map[string]provider.Provider{"local": machines},
	}
	f, stop, err := l.run(ctx)
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, stop)
	l.local, err = l.newHost(ctx, f)
	return l.local, err
}

// run is a Forge at work on what is stored, without a connection yet.
func (l *lab) run(ctx context.Context) (f *forge.Forge, stop func() error, err error) {
	if f, err = forge.New(l.config); err != nil {
		return nil, nil, err
	}
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	worked := make(chan error, 1)
	go func() { worked <- f.Run(working) }()
	return f, func() error {
		cancel()
		return errors.Join(<-worked, f.Close())
	}, nil
}

// has reports whether a peer's program is installed, which it has to be unless some
// peers are enough.
func (l *lab) has(program string) (bool, error) {
	_, err := exec.LookPath(program)
	if err != nil && !l.some {
		return false, fmt.Errorf("%w: scripts/setup bench installs the peers", err)
	}
	return err == nil, nil
}

func (l *lab) machines() (*nspawn.Provider, error) {
	p, err := nspawn.New(nspawn.Config{Images: l.images, SuppressSync: true, Logger: l.log})
	if err != nil {
		return nil, err
	}
	return p, p.Validate(context.Background())
}

// newHost makes a server on this computer, which is removed with the lab.
func (l *lab) newHost(ctx context.Context, f *forge.Forge) (*host, error) {
	srv, action, err := f.Servers.Create(ctx, forge.ServerOpts{
		Name: "bench", Provider: "local", Image: l.image, Labels: testmachine.Labels(),
	})
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, func() error {
		ctx := context.WithoutCancel(ctx)
		action, err := f.Servers.Delete(ctx, srv.ID, &forge.DeleteOpts{Force: true})
		if err == nil {
			_, err = f.Actions.Wait(ctx, action.ID)
		}
		return err
	})
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		return nil, fmt.Errorf("make a server: %w", err)
	}
	if srv, err = f.Servers.Get(ctx, srv.ID); err != nil {
		return nil, err
	}
	h := &host{forge: f, server: srv, dir: l.dir}
	return h, h.allow(ctx)
}

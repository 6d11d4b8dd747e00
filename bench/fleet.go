package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge/internal/sshfleet"
)

// fleetRows are those that need a fleet.
func fleetRows() []row {
	return []row{
		syncFew("cold"), syncFew("warm"), syncMany(),
		execInTurn(50), execInTurn(99), execCold(), execWarm(), idle(),
	}
}

// fleet is many hosts, which are the servers of a Forge in a process of its own.
type fleet struct {
	*sshfleet.Fleet
	lab   *lab
	dir   string // for files
	forge *process
}

func (f *fleet) file(name string) string { return filepath.Join(f.dir, name) }

// fleet returns one of so many hosts. It ends with the lab, and rows share it.
func (l *lab) fleet(ctx context.Context, hosts int) (*fleet, error) {
	if f := l.fleets[hosts]; f != nil {
		return f, nil
	}
	started, err := sshfleet.Start(ctx, sshfleet.Config{Hosts: hosts, Logger: l.log})
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, started.Close)
	f := &fleet{Fleet: started, lab: l, dir: filepath.Join(l.dir, fmt.Sprint("fleet", hosts))}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		return nil, err
	}
	if f.forge, err = f.adopt(hosts, 0); err != nil {
		return nil, err
	}
	l.fleets[hosts] = f
	return f, nil
}

// adopt starts a process whose Forge has so many servers on the hosts. It ends
// with the lab.
func (f *fleet) adopt(servers int, idle time.Duration) (*process, error) {
	s := fleetSettings{Servers: servers, KnownHosts: f.KnownHosts, KeyFile: f.KeyFile, IdleTimeout: idle}
	for _, h := range f.Hosts {
		s.Hosts = append(s.Hosts, h.Address.String())
	}
	p, err := start(owner, s)
	if err == nil {
		f.lab.closers = append(f.lab.closers, p.end)
	}
	return p, err
}

// ours has the Forge do something, which is measured there.
func (f *fleet) ours(order fleetOrder) measure {
	return func(context.Context) (float64, error) { return f.forge.ask(order) }
}

// cold is a run that finds no connections.
func (f *fleet) cold(run measure) measure {
	return func(ctx context.Context) (float64, error) {
		if err := f.DropConnections(ctx); err != nil {
			return 0, err
		}
		return run(ctx)
	}
}

// sync is a run that lets a new key log in to the first hosts. What counts is that
// it does in the end.
func (f *fleet) sync(hosts int, put func(key string) measure) measure {
	return func(ctx context.Context) (float64, error) {
		_, key, err := newKey()
		if err != nil {
			return 0, err
		}
		key = strings.TrimSpace(key)
		value, err := put(key)(ctx)
		if err != nil {
			return 0, err
		}
		for _, h := range f.Hosts[:hosts] {
			content, readErr := h.File("/root/.ssh/authorized_keys")
			if readErr == nil && !strings.Contains(string(content), key) {
				readErr = fmt.Errorf("%s has no such key: %s", h.Name, key)
			}
			err = errors.Join(err, readErr)
		}
		return value, err
	}
}

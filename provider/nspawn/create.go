package nspawn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/internal/filelock"
	"github.com/seed-797f2c2c/forge/provider"
)

// cleanup is how long removing a machine may take after its context ended.
const cleanup = 30 * time.Second

// Create implements provider.Provider. It returns when the machine's PID 1
// runs; SSH answers some moments later. The first machine of an image waits
// for the base image to be made, about half a minute. What a failed or
// interrupted Create left is removed by the next one. Spec.Image defaults to
// "debian-12"; Region and Size are ignored.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	m, err := p.create(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("nspawn: create: %w", err)
	}
	return m, nil
}

func (p *Provider) create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	if err := spec.Validate(p.Properties()); err != nil {
		return nil, err
	}
	id := p.machineID(spec.ID)
	files, err := identity(spec, p.cfg.CloudInit)
	if err != nil {
		return nil, err
	}
	held, err := p.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer held.Release()
	rec, err := p.load(id)
	switch {
	case err == nil && rec.SpecID != spec.ID:
		return nil, fmt.Errorf("%w: %s belongs to %q", provider.ErrConflict, id, rec.SpecID)
	case err == nil && rec.Made:
		return rec.machine(id), nil
	case err == nil:
		if err := p.remove(ctx, id); err != nil {
			return nil, fmt.Errorf("remove what an earlier try left: %w", err)
		}
	case !errors.Is(err, provider.ErrNotFound):
		return nil, err
	}
	lower, err := p.base(ctx, cmp.Or(spec.Image, defaultImage))
	if err != nil {
		return nil, err
	}
	rec = &record{SpecID: spec.ID, Name: spec.Name, Labels: spec.Labels, Lower: lower, DiskMiB: p.cfg.DiskMiB, Created: time.Now().UTC()}
	if err := p.make(ctx, id, rec, files); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
		defer cancel()
		return nil, errors.Join(err, p.remove(ctx, id))
	}
	return rec.machine(id), nil
}

// make leaves a half-made machine when it fails.
func (p *Provider) make(ctx context.Context, id string, rec *record, files []file) error {
	if err := p.join(ctx, id, rec); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	d := p.disk(id)
	if err := d.mount(ctx, id, rec); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	if err := d.write(append(files, file{"etc/resolv.conf", 0o644, resolvConf()})...); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	if err := d.start(ctx, id, rec.Name, p.cfg.SuppressSync); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	rec.Made = true
	return p.save(id, rec)
}

// join writes the machine's first record and connects it to the network.
func (p *Provider) join(ctx context.Context, id string, rec *record) error {
	held, err := filelock.Acquire(ctx, hostLock, "network")
	if err != nil {
		return err
	}
	defer held.Release()
	if rec.Net, err = p.freeNetwork(ctx); err != nil {
		return err
	}
	if err := p.save(id, rec); err != nil {
		return err
	}
	return connect(ctx, id, rec.Net)
}

// Start switches a machine on that is off: after a shutdown inside, or when
// this host was restarted. What runs already is no error.
func (p *Provider) Start(ctx context.Context, id string) error {
	if err := p.restart(ctx, id); err != nil {
		return fmt.Errorf("nspawn: start: %w", err)
	}
	return nil
}

func (p *Provider) restart(ctx context.Context, id string) error {
	held, err := p.lockKnown(ctx, id)
	if err != nil {
		return err
	}
	defer held.Release()
	rec, err := p.load(id)
	if err != nil {
		return err
	}
	if rec.machine(id).Status != provider.StatusOff {
		return nil
	}
	if err := stop(ctx, id); err != nil {
		return err
	}
	if !exists(netnsPath(id)) {
		if err := connect(ctx, id, rec.Net); err != nil {
			return fmt.Errorf("network: %w", err)
		}
	}
	d := p.disk(id)
	if err := d.mount(ctx, id, rec); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	return d.start(ctx, id, rec.Name, p.cfg.SuppressSync)
}

package nspawn

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/seed-797f2c2c/forge/provider"
)

// Get implements provider.Provider.
func (p *Provider) Get(ctx context.Context, id string) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !idFormat.MatchString(id) {
		return nil, fmt.Errorf("nspawn: %w: %q", provider.ErrNotFound, id)
	}
	rec, err := p.load(id)
	if err != nil {
		return nil, fmt.Errorf("nspawn: %w", err)
	}
	return rec.machine(id), nil
}

// List implements provider.Lister: it returns all machines of Config.Dir,
// half-made ones as pending.
func (p *Provider) List(ctx context.Context) ([]*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ids, err := p.ids()
	if err != nil {
		return nil, fmt.Errorf("nspawn: %w", err)
	}
	machines := make([]*provider.Machine, 0, len(ids))
	for _, id := range ids {
		m, err := p.Get(ctx, id)
		if errors.Is(err, provider.ErrNotFound) {
			continue // deleted since
		}
		if err != nil {
			return nil, err
		}
		machines = append(machines, m)
	}
	return machines, nil
}

// Delete implements provider.Provider. It ends the machine at once, however
// much of it there is, and removes its disk.
func (p *Provider) Delete(ctx context.Context, id string) error {
	if !idFormat.MatchString(id) {
		return nil // never one of ours
	}
	held, err := p.lock(ctx, id)
	if err != nil {
		return fmt.Errorf("nspawn: delete: %w", err)
	}
	defer held.Release()
	if err := p.remove(ctx, id); err != nil {
		return fmt.Errorf("nspawn: delete %s: %w", id, err)
	}
	return nil
}

// remove takes away every trace of a machine. It needs no record, and goes on
// after an error, so that as little as possible is left; the record stays then.
func (p *Provider) remove(ctx context.Context, id string) error {
	err := stop(ctx, id)
	if err != nil {
		return err // what runs would make the rest again
	}
	err = errors.Join(removeTree(string(p.disk(id))), os.RemoveAll(p.disk(id).file()), os.RemoveAll(p.disk(id).log()), disconnect(ctx, id))
	if err != nil {
		return err
	}
	return p.forget(id)
}

// Freeze deletes a machine that is off and keeps what it had written in dir,
// which must not exist, on the same file system as Config.Dir. The result
// stands for it in Config.Images, for as long as the machine's own image is
// there. A new machine of that image gets its own name, keys and machine id.
func (p *Provider) Freeze(ctx context.Context, id, dir string) (image string, err error) {
	if image, err = p.freeze(ctx, id, dir); err != nil {
		return "", fmt.Errorf("nspawn: freeze: %w", err)
	}
	return image, nil
}

func (p *Provider) freeze(ctx context.Context, id, dir string) (string, error) {
	held, err := p.lockKnown(ctx, id)
	if err != nil {
		return "", err
	}
	defer held.Release()
	rec, err := p.load(id)
	if err != nil {
		return "", err
	}
	if s := rec.machine(id).Status; s != provider.StatusOff {
		return "", fmt.Errorf("%w: %s is %s, shut it down first", provider.ErrConflict, id, s)
	}
	if exists(dir) {
		return "", fmt.Errorf("%w: %s exists", provider.ErrConflict, dir)
	}
	if err := stop(ctx, id); err != nil {
		return "", err
	}
	if err := unmountBelow(string(p.disk(id))); err != nil {
		return "", err
	}
	if err := os.Rename(p.disk(id).upper(), dir); err != nil {
		return "", err
	}
	return dir + ":" + rec.Lower, p.remove(ctx, id)
}

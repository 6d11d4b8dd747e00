package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// Delete implements provider.Provider. It returns when the vendor does not know the
// droplet any more. A droplet that forge did not make is none, and stays.
func (p *Provider) Delete(ctx context.Context, id string) error {
	if err := p.remove(cloud.Operation(ctx), id); err != nil {
		return fmt.Errorf("digitalocean: delete %s: %w", id, err)
	}
	return nil
}

func (p *Provider) remove(ctx context.Context, id string) error {
	d, err := p.doomed(ctx, id)
	if d == nil {
		return err
	}
	specID, _ := p.marked(d.Tags)
	unlock, err := p.creating.Lock(ctx, specID)
	if err != nil {
		return err
	}
	defer unlock()
	// The droplet goes last, as nothing else says what there is to remove. It does
	// not need the entry of its key.
	fingerprint, ok := p.keyOf(d.Tags)
	if ok {
		if err := p.dropKey(ctx, specID, fingerprint); err != nil {
			return err
		}
	}
	_, err = p.client.Droplets.Delete(ctx, d.ID)
	p.fleet.Changed(id)
	switch {
	case err == nil:
		err = cloud.WaitGone(ctx, "droplet", id, p.own, nil)
		p.fleet.Changed(id)
	case ambiguous(err) || gone(err):
		err = p.stillThere(ctx, id, err)
	default:
		err = failure(err)
	}
	if err != nil {
		return err
	}
	p.dropTags(ctx, p.idTag(specID), p.keyTag(fingerprint), d.Tags)
	return nil
}

// doomed returns the droplet that is to be deleted, or nil when there is none. One
// that was just made may be listed and yet not be found by its id.
func (p *Provider) doomed(ctx context.Context, id string) (*godo.Droplet, error) {
	m, err := p.fleet.Get(ctx, id)
	if err == nil {
		d, _ := provider.As[*godo.Droplet](m)
		return d, nil
	}
	number, ok := parseID(id)
	switch {
	case !errors.Is(err, provider.ErrNotFound):
		return nil, err
	case !ok:
		return nil, nil
	}
	all, _, err := p.droplets(ctx, p.cfg.Namespace)
	if i := slices.IndexFunc(all, func(d *godo.Droplet) bool { return d.ID == number }); i >= 0 {
		return all[i], nil
	}
	return nil, err
}

// stillThere is the error of an order to delete a droplet of which nobody knows what
// became, as long as the droplet is there.
func (p *Provider) stillThere(ctx context.Context, id string, cause error) error {
	d, err := p.doomed(ctx, id)
	if d != nil {
		return fmt.Errorf("%w: the droplet is still there: %w", provider.ErrUnavailable, cause)
	}
	return err
}

// dropTags removes the tags that a droplet which is gone had to itself. They cost
// nothing and mean nothing any more, so that it is no error when they stay.
func (p *Provider) dropTags(ctx context.Context, idTag, keyTag string, had []string) {
	for _, tag := range had {
		if tag != idTag && tag != keyTag {
			continue
		}
		if err := p.dropTag(ctx, tag); err != nil {
			p.log.WarnContext(ctx, "digitalocean: a tag of a deleted droplet stays", "tag", tag, "error", err)
		}
	}
}

// dropTag removes a tag, unless another droplet bears it: one of the same id, or with
// the same key.
func (p *Provider) dropTag(ctx context.Context, tag string) error {
	const tries = 3
	for n := 1; ; n++ {
		others, _, err := p.droplets(ctx, tag)
		if err != nil || len(others) > 0 {
			return err
		}
		_, err = p.client.Tags.Delete(ctx, tag)
		switch {
		case err == nil || gone(err):
			return nil
		case n == tries || !ambiguous(err):
			return failure(err)
		}
	}
}

// Clean implements provider.Cleaner.
func (p *Provider) Clean(ctx context.Context, spec provider.Spec) error {
	if err := p.dropKey(cloud.Operation(ctx), spec.ID, keyFingerprint(spec)); err != nil {
		return fmt.Errorf("digitalocean: clean up after %s: %w", spec.ID, err)
	}
	return nil
}

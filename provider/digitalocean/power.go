package digitalocean

import (
	"context"
	"fmt"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// PowerOn implements provider.Power.
func (p *Provider) PowerOn(ctx context.Context, id string) error {
	return p.change(ctx, "power on", id, func(ctx context.Context, d *godo.Droplet) error {
		if status(d.Status) == provider.StatusActive {
			return nil
		}
		_, _, err := p.client.DropletActions.PowerOn(ctx, d.ID)
		return failure(err)
	})
}

// PowerOff implements provider.Power.
func (p *Provider) PowerOff(ctx context.Context, id string) error {
	return p.change(ctx, "power off", id, func(ctx context.Context, d *godo.Droplet) error {
		if status(d.Status) == provider.StatusOff {
			return nil
		}
		_, _, err := p.client.DropletActions.PowerOff(ctx, d.ID)
		return failure(err)
	})
}

// Reboot implements provider.Power.
func (p *Provider) Reboot(ctx context.Context, id string) error {
	return p.change(ctx, "reboot", id, func(ctx context.Context, d *godo.Droplet) error {
		if status(d.Status) == provider.StatusOff {
			return fmt.Errorf("%w: it is off: switch it on instead", provider.ErrConflict)
		}
		_, _, err := p.client.DropletActions.Reboot(ctx, d.ID)
		return failure(err)
	})
}

// Resize implements provider.Resizer. The droplet stays off afterwards.
func (p *Provider) Resize(ctx context.Context, id, size string) error {
	return p.change(ctx, "resize", id, func(ctx context.Context, d *godo.Droplet) error {
		if d.SizeSlug == size {
			return nil
		}
		if status(d.Status) != provider.StatusOff {
			return fmt.Errorf("%w: it is %s: switch it off first", provider.ErrConflict, d.Status)
		}
		_, _, err := p.client.DropletActions.Resize(ctx, d.ID, size, false)
		return refusal(err)
	})
}

// Rebuild implements provider.Rebuilder. The droplet starts with the user data that
// it was made with, and so with the host key that was in it.
func (p *Provider) Rebuild(ctx context.Context, id, image string) error {
	return p.change(ctx, "rebuild", id, func(ctx context.Context, d *godo.Droplet) error {
		c, err := p.catalog.Get(ctx)
		if err != nil {
			return fmt.Errorf("catalogue: %w", err)
		}
		order, _, err := p.image(ctx, c, image)
		if err != nil {
			return err
		}
		if order.Slug == "" {
			_, _, err = p.client.DropletActions.RebuildByImageID(ctx, d.ID, order.ID)
		} else {
			_, _, err = p.client.DropletActions.RebuildByImageSlug(ctx, d.ID, order.Slug)
		}
		return refusal(err)
	})
}

// change has something done to a droplet that forge made.
func (p *Provider) change(ctx context.Context, what, id string, do func(context.Context, *godo.Droplet) error) error {
	ctx = cloud.Operation(ctx)
	d, err := p.own(ctx, id)
	if err == nil {
		err = do(ctx, d)
		p.fleet.Changed(id)
	}
	if err != nil {
		return fmt.Errorf("digitalocean: %s %s: %w", what, id, err)
	}
	return nil
}

package hetzner

import (
	"context"
	"fmt"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// PowerOn implements provider.Power.
func (p *Provider) PowerOn(ctx context.Context, id string) error {
	return p.change(ctx, "power on", id, func(ctx context.Context, srv *hcloud.Server) error {
		if srv.Status == hcloud.ServerStatusRunning || srv.Status == hcloud.ServerStatusStarting {
			return nil
		}
		_, _, err := p.client.Server.Poweron(ctx, srv)
		return failure(err)
	})
}

// PowerOff implements provider.Power.
func (p *Provider) PowerOff(ctx context.Context, id string) error {
	return p.change(ctx, "power off", id, func(ctx context.Context, srv *hcloud.Server) error {
		if srv.Status == hcloud.ServerStatusOff {
			return nil
		}
		_, _, err := p.client.Server.Poweroff(ctx, srv)
		return failure(err)
	})
}

// Reboot implements provider.Power.
func (p *Provider) Reboot(ctx context.Context, id string) error {
	return p.change(ctx, "reboot", id, func(ctx context.Context, srv *hcloud.Server) error {
		if srv.Status == hcloud.ServerStatusOff {
			return fmt.Errorf("%w: it is off: switch it on instead", provider.ErrConflict)
		}
		_, _, err := p.client.Server.Reboot(ctx, srv)
		return failure(err)
	})
}

// Resize implements provider.Resizer. The vendor switches the server on again
// afterwards.
func (p *Provider) Resize(ctx context.Context, id, size string) error {
	return p.change(ctx, "resize", id, func(ctx context.Context, srv *hcloud.Server) error {
		if srv.ServerType.Name == size {
			return nil
		}
		_, _, err := p.client.Server.ChangeType(ctx, srv, hcloud.ServerChangeTypeOpts{ServerType: &hcloud.ServerType{Name: size}})
		return refusal(err)
	})
}

// Rebuild implements provider.Rebuilder. The server starts with the user data that
// it was made with, and so with the host key that was in it.
func (p *Provider) Rebuild(ctx context.Context, id, image string) error {
	return p.change(ctx, "rebuild", id, func(ctx context.Context, srv *hcloud.Server) error {
		if _, err := p.catalog.Get(ctx); err != nil {
			return fmt.Errorf("catalogue: %w", err)
		}
		img, err := p.image(image, srv.ServerType.Architecture)
		if err != nil {
			return err
		}
		_, _, err = p.client.Server.RebuildWithResult(ctx, srv, hcloud.ServerRebuildOpts{Image: img})
		return refusal(err)
	})
}

// change has something done to a server that forge made.
func (p *Provider) change(ctx context.Context, what, id string, do func(context.Context, *hcloud.Server) error) error {
	ctx = cloud.Operation(ctx)
	srv, err := p.own(ctx, id)
	if err == nil {
		err = do(ctx, srv)
		p.fleet.Changed(id)
	}
	if err != nil {
		return fmt.Errorf("hetzner: %s %s: %w", what, id, err)
	}
	return nil
}

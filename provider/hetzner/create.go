package hetzner

import (
	"cmp"
	"context"
	"fmt"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// Create implements provider.Provider. Spec.AuthorizedKey is required, Region and
// Size too where the Config names none, and Network and Firewalls are numbers.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	m, err := p.create(cloud.Operation(ctx), spec)
	if err != nil {
		return nil, fmt.Errorf("hetzner: create: %w", err)
	}
	return m, nil
}

func (p *Provider) create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	spec.Region, spec.Size, spec.Image = cmp.Or(spec.Region, p.cfg.Region), cmp.Or(spec.Size, p.cfg.Size), cmp.Or(spec.Image, p.cfg.Image)
	opts, err := p.order(spec)
	if err != nil {
		return nil, err
	}
	unlock, err := p.creating.Lock(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	srv, err := p.find(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	if srv == nil {
		if srv, err = p.make(ctx, spec, opts); err != nil {
			return nil, err
		}
	}
	if spec.Backups {
		if err := p.backUp(ctx, srv); err != nil {
			return nil, fmt.Errorf("backups of server %d: %w", srv.ID, err)
		}
	}
	return p.machine(srv), nil
}

// order checks a spec, as far as that needs no question to the vendor, and is what
// is to be asked for.
func (p *Provider) order(spec provider.Spec) (opts hcloud.ServerCreateOpts, err error) {
	if err := cloud.Validate(spec, p.Properties()); err != nil {
		return opts, err
	}
	if err := checkLabels(spec.Labels); err != nil {
		return opts, err
	}
	opts = hcloud.ServerCreateOpts{
		Name:       spec.Name,
		ServerType: &hcloud.ServerType{Name: spec.Size},
		Location:   &hcloud.Location{Name: spec.Region},
		Labels:     p.mark(spec.Labels, spec.ID),
	}
	if opts.UserData, err = cloud.UserData(spec, maxUserData); err != nil {
		return opts, err
	}
	if spec.Network != "" {
		id, ok := parseID(spec.Network)
		if !ok {
			return opts, fmt.Errorf("%w: Network must be the number of a network", provider.ErrInvalid)
		}
		opts.Networks = []*hcloud.Network{{ID: id}}
	}
	for _, firewall := range spec.Firewalls {
		id, ok := parseID(firewall)
		if !ok {
			return opts, fmt.Errorf("%w: Firewalls must be the numbers of firewalls", provider.ErrInvalid)
		}
		opts.Firewalls = append(opts.Firewalls, &hcloud.ServerCreateFirewall{Firewall: hcloud.Firewall{ID: id}})
	}
	if spec.IPv6Only {
		opts.PublicNet = &hcloud.ServerCreatePublicNet{EnableIPv6: true}
	}
	return opts, nil
}

// find returns the server of an id, or nil when there is none.
func (p *Provider) find(ctx context.Context, specID string) (*hcloud.Server, error) {
	servers, _, err := p.servers(ctx, specID)
	if err != nil {
		return nil, err
	}
	srv, err := cloud.Only("servers", specID, servers, func(srv *hcloud.Server) string { return formatID(srv.ID) })
	if srv != nil && srv.Status == hcloud.ServerStatusDeleting {
		return nil, fmt.Errorf("%w: server %d is still being deleted", provider.ErrUnavailable, srv.ID)
	}
	return srv, err
}

// make asks for a server once. Where none was made, the entry of its key goes too.
func (p *Provider) make(ctx context.Context, spec provider.Spec, opts hcloud.ServerCreateOpts) (*hcloud.Server, error) {
	image, err := p.available(ctx, spec)
	if err != nil {
		return nil, err
	}
	opts.Image = image
	key, err := p.key(ctx, spec)
	if err != nil {
		return nil, p.undo(ctx, spec.ID, err)
	}
	opts.SSHKeys = []*hcloud.SSHKey{key}
	made, _, err := p.client.Server.Create(ctx, opts)
	if err != nil {
		return p.settle(ctx, spec, key.Fingerprint, err)
	}
	return made.Server, nil
}

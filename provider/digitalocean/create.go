package digitalocean

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// looks is how often a droplet is looked for that may have been made.
const looks = 3

// Create implements provider.Provider. Spec.AuthorizedKey is required, Region and
// Size too where the Config names none. Image is a distribution as "debian-12" or
// "ubuntu-24.04", or the slug or the number of any image that the account can use.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	m, err := p.create(cloud.Operation(ctx), spec)
	if err != nil {
		return nil, fmt.Errorf("digitalocean: create: %w", err)
	}
	return m, nil
}

func (p *Provider) create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	spec.Region, spec.Size, spec.Image = cmp.Or(spec.Region, p.cfg.Region), cmp.Or(spec.Size, p.cfg.Size), cmp.Or(spec.Image, p.cfg.Image)
	order, err := p.order(spec)
	if err != nil {
		return nil, err
	}
	unlock, err := p.creating.Lock(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	d, err := p.find(ctx, spec.ID)
	if err != nil {
		return nil, err
	}
	if d == nil {
		if d, err = p.make(ctx, spec, order); err != nil {
			return nil, err
		}
	}
	return p.machine(d), nil
}

// order checks a spec, as far as that needs no question to the vendor, and is what
// is to be asked for.
func (p *Provider) order(spec provider.Spec) (*godo.DropletCreateRequest, error) {
	if err := cloud.Validate(spec, p.Properties()); err != nil {
		return nil, err
	}
	if err := checkIDs(spec.Options); err != nil {
		return nil, err
	}
	tags, err := p.labelTags(spec.Labels)
	if err != nil {
		return nil, err
	}
	data, err := cloud.UserData(spec, maxUserData)
	if err != nil {
		return nil, err
	}
	return &godo.DropletCreateRequest{
		Name:       spec.Name,
		Region:     spec.Region,
		Size:       spec.Size,
		Backups:    spec.Backups,
		Monitoring: spec.Monitoring,
		IPv6:       true,
		VPCUUID:    spec.Network,
		UserData:   data,
		Tags:       append(tags, p.cfg.Namespace, p.idTag(spec.ID), p.keyTag(keyFingerprint(spec))),
	}, nil
}

// find returns the droplet of an id, or nil when there is none.
func (p *Provider) find(ctx context.Context, specID string) (*godo.Droplet, error) {
	found, _, err := p.droplets(ctx, p.idTag(specID))
	if err != nil {
		return nil, err
	}
	return cloud.Only("droplets", specID, found, func(d *godo.Droplet) string { return strconv.Itoa(d.ID) })
}

// make asks for a droplet once. Where none was made, the entry of its key goes too.
func (p *Provider) make(ctx context.Context, spec provider.Spec, order *godo.DropletCreateRequest) (*godo.Droplet, error) {
	image, err := p.available(ctx, spec)
	if err != nil {
		return nil, err
	}
	order.Image = image
	tags, err := p.guard(ctx, spec.Firewalls)
	if err != nil {
		return nil, err
	}
	order.Tags = append(order.Tags, tags...)
	key, err := p.key(ctx, spec)
	if err != nil {
		return nil, p.undo(ctx, spec, err)
	}
	order.SSHKeys = []godo.DropletCreateSSHKey{{ID: key.ID}}
	d, _, err := p.client.Droplets.Create(ctx, order)
	if err != nil || d == nil {
		return p.settle(ctx, spec, cmp.Or(err, errEmpty))
	}
	if _, ours := p.marked(d.Tags); !ours {
		return p.recognize(ctx, spec, d.ID)
	}
	return d, nil
}

// recognize looks for a new droplet that does not show the tags by which forge would
// know it again. One that never will is deleted, or each Create would make another.
func (p *Provider) recognize(ctx context.Context, spec provider.Spec, id int) (*godo.Droplet, error) {
	d, err := p.look(ctx, spec.ID, nil)
	if d != nil || err != nil && !errors.Is(err, provider.ErrPermission) {
		return d, err
	}
	ctx, cancel := cloud.Aftermath(ctx)
	defer cancel()
	cause := cmp.Or(err, fmt.Errorf("%w: droplet %d has other tags than it was to have: no tag of the account may be %q in capitals",
		provider.ErrConflict, id, p.cfg.Namespace))
	if _, err := p.client.Droplets.Delete(ctx, id); err != nil && !gone(err) {
		return nil, fmt.Errorf("%w; delete it yourself, as that failed: %w", cause, err)
	}
	return nil, p.undo(ctx, spec, cause)
}

// settle finds out what became of a request for a droplet that ended with an error:
// it returns the droplet if there is one.
func (p *Provider) settle(ctx context.Context, spec provider.Spec, cause error) (*godo.Droplet, error) {
	if ambiguous(cause) {
		if d, err := p.look(ctx, spec.ID, cause); d != nil || err != nil {
			return d, err
		}
	}
	cause = refusal(cause)
	if errors.Is(cause, provider.ErrInvalid) {
		// Another process that made the same droplet and could not removed the entry.
		if _, _, err := p.client.Keys.GetByFingerprint(ctx, keyFingerprint(spec)); gone(err) {
			return nil, fmt.Errorf("%w: the key's entry was removed meanwhile: %s", provider.ErrUnavailable, cause.Error())
		}
	}
	return nil, p.undo(ctx, spec, cause)
}

// look looks for a droplet that may have been made a moment ago, and does so once
// when the context has ended.
func (p *Provider) look(ctx context.Context, specID string, cause error) (*godo.Droplet, error) {
	after, cancel := cloud.Aftermath(ctx)
	defer cancel()
	return cloud.Look(ctx, cause, looks, func() (*godo.Droplet, error) { return p.find(after, specID) })
}

// undo removes the entry of the key of a droplet that was not made. A request that is
// still on its way is refused for want of it.
func (p *Provider) undo(ctx context.Context, spec provider.Spec, cause error) error {
	return cloud.Undo(ctx, "droplet", cause, func(ctx context.Context) error {
		return p.dropKey(ctx, spec.ID, keyFingerprint(spec))
	})
}

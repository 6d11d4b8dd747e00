package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/digitalocean/godo"
	"github.com/google/uuid"

	"github.com/seed-797f2c2c/forge/provider"
)

// guard returns the tags by which firewalls apply to a droplet, and gives them to
// the firewalls that do not have them. Single droplets in place of a tag would apply
// some time after the start, and to ten droplets at most.
func (p *Provider) guard(ctx context.Context, firewalls []string) (tags []string, err error) {
	for _, id := range firewalls {
		tag := p.firewallTag(id)
		if err := p.tagFirewall(ctx, id, tag); err != nil {
			return nil, fmt.Errorf("firewall %s: %w", id, err)
		}
		tags = append(tags, tag)
	}
	return tags, nil
}

func (p *Provider) tagFirewall(ctx context.Context, id, tag string) error {
	f, _, err := p.client.Firewalls.Get(ctx, id)
	if err != nil {
		return refusal(err)
	}
	if f != nil && slices.Contains(f.Tags, tag) {
		return nil
	}
	// The vendor wants a tag to exist. That it does already may be an error.
	_, _, err = p.client.Tags.Create(ctx, &godo.TagCreateRequest{Name: tag})
	if err := failure(err); err != nil && !errors.Is(err, provider.ErrConflict) && !errors.Is(err, provider.ErrInvalid) {
		return err
	}
	_, err = p.client.Firewalls.AddTags(ctx, id, tag)
	return refusal(err)
}

// checkIDs checks the ids in the options of a spec, which become parts of a path.
func checkIDs(o provider.Options) error {
	if o.Network != "" && !isUUID(o.Network) {
		return fmt.Errorf("%w: Network must be the UUID of a VPC", provider.ErrInvalid)
	}
	for _, id := range o.Firewalls {
		if !isUUID(id) {
			return fmt.Errorf("%w: Firewalls must be the UUIDs of firewalls", provider.ErrInvalid)
		}
	}
	return nil
}

func isUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

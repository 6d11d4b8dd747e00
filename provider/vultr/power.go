package vultr

import (
	"context"
	"fmt"

	"github.com/seed-797f2c2c/forge/provider"
)

// PowerOn implements provider.Power. One that is on is left so: Vultr would restart it.
func (p *Provider) PowerOn(ctx context.Context, id string) error {
	return p.power(ctx, "on", id, provider.StatusActive, p.client.Instance.Start)
}

// PowerOff implements provider.Power.
func (p *Provider) PowerOff(ctx context.Context, id string) error {
	return p.power(ctx, "off", id, provider.StatusOff, p.client.Instance.Halt)
}

// Reboot implements provider.Power.
func (p *Provider) Reboot(ctx context.Context, id string) error {
	return p.power(ctx, "reboot", id, "", p.client.Instance.Reboot)
}

// power gives an order to an instance of forge's, unless it is already as ordered.
func (p *Provider) power(ctx context.Context, name, id string, already provider.Status, order func(context.Context, string) error) error {
	m, err := p.one(ctx, id)
	if err == nil && m.Status != already {
		err = p.ask(ctx, func(ctx context.Context) error { return order(ctx, id) })
		p.fleet.Changed(id)
	}
	if err != nil {
		return fmt.Errorf("vultr: power %s of %s: %w", name, id, err)
	}
	return nil
}

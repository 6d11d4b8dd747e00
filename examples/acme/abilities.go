package acme

import (
	"context"
	"fmt"
	"net/http"

	"github.com/seed-797f2c2c/forge/provider"
)

// Catalog implements provider.Cataloger.
func (p *Provider) Catalog(ctx context.Context) (*provider.Catalog, error) {
	c, err := p.catalog.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("acme: catalogue: %w", err)
	}
	return c, nil
}

func (p *Provider) readCatalog(ctx context.Context) (*provider.Catalog, error) {
	var told struct {
		Regions, Images []string
		Sizes           []struct {
			Name                string
			Cores, Memory, Disk int
			Monthly, Hourly     string
			Arm                 bool
			AvailableIn         []string `json:"available_in"`
		}
	}
	if err := p.ask(ctx, http.MethodGet, "/catalog", nil, &told); err != nil {
		return nil, err
	}
	c := new(provider.Catalog)
	for _, name := range told.Regions {
		c.Regions = append(c.Regions, provider.Region{Name: name, Available: true})
	}
	for _, s := range told.Sizes {
		size := provider.Size{Name: s.Name, Architecture: provider.X86, Cores: s.Cores, MemoryMB: s.Memory, DiskGB: s.Disk}
		if s.Arm {
			size.Architecture = provider.Arm
		}
		for _, region := range s.AvailableIn {
			size.Offers = append(size.Offers, provider.Offer{Region: region, Price: provider.Price{Monthly: s.Monthly, Hourly: s.Hourly, Currency: "EUR"}})
		}
		c.Sizes = append(c.Sizes, size)
	}
	for _, name := range told.Images {
		c.Images = append(c.Images, provider.Image{Name: name})
	}
	return c, nil
}

// PowerOn implements provider.Power.
func (p *Provider) PowerOn(ctx context.Context, id string) error { return p.power(ctx, id, "on") }

// PowerOff implements provider.Power.
func (p *Provider) PowerOff(ctx context.Context, id string) error { return p.power(ctx, id, "off") }

// Reboot implements provider.Power.
func (p *Provider) Reboot(ctx context.Context, id string) error { return p.power(ctx, id, "reboot") }

// power switches a server of forge's, for which it is looked at first. The vendor
// takes an order for what is so already.
func (p *Provider) power(ctx context.Context, id, order string) error {
	_, err := p.one(ctx, id)
	if err == nil {
		err = p.ask(ctx, http.MethodPost, "/servers/"+id+"/power", map[string]string{"order": order}, nil)
		p.fleet.Changed(id)
	}
	if err != nil {
		return fmt.Errorf("acme: power %s of %s: %w", order, id, err)
	}
	return nil
}

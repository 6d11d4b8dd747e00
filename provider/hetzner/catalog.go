package hetzner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// images are the vendor's ids of images, of which one name stands for several.
type images map[imageName]int64

type imageName struct {
	name         string
	architecture hcloud.Architecture
}

// Catalog implements provider.Cataloger. Prices are those of a server by itself: a
// public IPv4 address and backups cost extra.
func (p *Provider) Catalog(ctx context.Context) (*provider.Catalog, error) {
	c, err := p.catalog.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("hetzner: catalogue: %w", err)
	}
	return c, nil
}

// available checks a spec by the catalogue, and returns the image for it.
func (p *Provider) available(ctx context.Context, spec provider.Spec) (*hcloud.Image, error) {
	c, err := p.catalog.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	if err := c.Check(spec); err != nil {
		return nil, err
	}
	size := c.Sizes[slices.IndexFunc(c.Sizes, func(s provider.Size) bool { return s.Name == spec.Size })]
	return p.image(spec.Image, hcloud.Architecture(size.Architecture))
}

// image returns the image of a name for an architecture, when the catalogue was
// read.
func (p *Provider) image(name string, architecture hcloud.Architecture) (*hcloud.Image, error) {
	id, ok := (*p.images.Load())[imageName{name, architecture}]
	if !ok {
		return nil, fmt.Errorf("%w: image %q does not exist for %s", provider.ErrInvalid, name, architecture)
	}
	return &hcloud.Image{ID: id}, nil
}

func (p *Provider) readCatalog(ctx context.Context) (*provider.Catalog, error) {
	ctx = cloud.Operation(ctx)
	pricing, _, err := p.client.Pricing.Get(ctx)
	if err != nil {
		return nil, failure(err)
	}
	locations, err := pages(func(opts hcloud.ListOpts) ([]*hcloud.Location, *hcloud.Response, error) {
		return p.client.Location.List(ctx, hcloud.LocationListOpts{ListOpts: opts})
	})
	if err != nil {
		return nil, err
	}
	types, err := pages(func(opts hcloud.ListOpts) ([]*hcloud.ServerType, *hcloud.Response, error) {
		return p.client.ServerType.List(ctx, hcloud.ServerTypeListOpts{ListOpts: opts})
	})
	if err != nil {
		return nil, err
	}
	found, err := pages(func(opts hcloud.ListOpts) ([]*hcloud.Image, *hcloud.Response, error) {
		return p.client.Image.List(ctx, hcloud.ImageListOpts{ListOpts: opts, Type: []hcloud.ImageType{hcloud.ImageTypeSystem},
			Status: []hcloud.ImageStatus{hcloud.ImageStatusAvailable}, IncludeDeprecated: true})
	})
	if err != nil {
		return nil, err
	}
	c := &provider.Catalog{}
	for _, t := range types {
		c.Sizes = append(c.Sizes, size(t, pricing.Currency))
	}
	for _, l := range locations {
		open := slices.ContainsFunc(c.Sizes, func(s provider.Size) bool {
			return slices.ContainsFunc(s.Offers, func(o provider.Offer) bool { return o.Region == l.Name })
		})
		c.Regions = append(c.Regions, provider.Region{Name: l.Name, Description: l.Description, Available: open})
	}
	ids := make(images)
	for _, i := range found {
		ids[imageName{i.Name, i.Architecture}] = i.ID
		image := provider.Image{Name: i.Name, Description: i.Description, Architecture: provider.Architecture(i.Architecture)}
		if i.IsDeprecated() {
			image.Deprecated = i.UnavailableAfter()
		}
		c.Images = append(c.Images, image)
	}
	p.images.Store(&ids)
	return c, nil
}

// size describes a server type.
func size(t *hcloud.ServerType, currency string) provider.Size {
	s := provider.Size{
		Name:         t.Name,
		Description:  t.Description,
		Architecture: provider.Architecture(t.Architecture),
		Cores:        t.Cores,
		MemoryMB:     int(t.Memory * 1024),
		DiskGB:       t.Disk,
	}
	ends := 0 // in how many locations
	for _, l := range t.Locations {
		if l.IsDeprecated() {
			ends++
			if l.UnavailableAfter().After(s.Deprecated) {
				s.Deprecated = l.UnavailableAfter()
			}
		}
		if !l.Available || l.IsDeprecated() && !l.UnavailableAfter().After(time.Now()) {
			continue
		}
		i := slices.IndexFunc(t.Pricings, func(p hcloud.ServerTypeLocationPricing) bool { return p.Location.Name == l.Location.Name })
		if i < 0 {
			continue // what has no price is not for sale
		}
		s.Offers = append(s.Offers, provider.Offer{
			Region: l.Location.Name,
			Price:  provider.Price{Monthly: t.Pricings[i].Monthly.Net, Hourly: t.Pricings[i].Hourly.Net, Currency: currency},
		})
	}
	if ends < len(t.Locations) {
		s.Deprecated = time.Time{} // it stays somewhere
	}
	return s
}

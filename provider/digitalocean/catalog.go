package digitalocean

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

var (
	imageSlug = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,126}$`)
	ubuntu    = regexp.MustCompile(`^ubuntu-(\d+)-(\d+)$`)
)

// Catalog implements provider.Cataloger. Its images are those of distributions; the
// vendor does not say when it will no longer offer an image or a size.
func (p *Provider) Catalog(ctx context.Context) (*provider.Catalog, error) {
	c, err := p.catalog.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("digitalocean: catalogue: %w", err)
	}
	return c, nil
}

// available checks a spec by the catalogue, and returns the image for it.
func (p *Provider) available(ctx context.Context, spec provider.Spec) (order godo.DropletCreateImage, err error) {
	c, err := p.catalog.Get(ctx)
	if err != nil {
		return order, fmt.Errorf("catalogue: %w", err)
	}
	order, image, err := p.image(ctx, c, spec.Image)
	if err != nil {
		return order, err
	}
	with := *c // one that is not of a distribution is checked alike
	with.Images = append(slices.Clip(c.Images), image)
	spec.Image = image.Name
	return order, with.Check(spec)
}

// image finds an image: that of a distribution in the catalogue, and any other by
// asking for its slug or number.
func (p *Provider) image(ctx context.Context, c *provider.Catalog, name string) (order godo.DropletCreateImage, image provider.Image, err error) {
	listed := slices.IndexFunc(c.Images, func(i provider.Image) bool { return i.Name == imageName(name) })
	if slug := (*p.slugs.Load())[imageName(name)]; listed >= 0 && slug != "" {
		return godo.DropletCreateImage{Slug: slug}, c.Images[listed], nil
	}
	var found *godo.Image
	number, numbered := parseID(name)
	switch {
	case numbered:
		found, _, err = p.client.Images.GetByID(ctx, number)
	case imageSlug.MatchString(name):
		found, _, err = p.client.Images.GetBySlug(ctx, name)
	}
	switch {
	case err != nil && !gone(err):
		return order, image, fmt.Errorf("image %s: %w", name, failure(err))
	case found == nil:
		names := make([]string, len(c.Images))
		for i, image := range c.Images {
			names[i] = image.Name
		}
		return order, image, fmt.Errorf("%w: image %q does not exist; there are %s", provider.ErrInvalid, name, strings.Join(names, ", "))
	}
	return godo.DropletCreateImage{ID: found.ID}, provider.Image{Name: name, Architecture: provider.X86, Regions: found.Regions}, nil
}

// imageName is what forge calls the image of a distribution that has a slug.
func imageName(slug string) string {
	return ubuntu.ReplaceAllString(strings.TrimSuffix(slug, "-x64"), "ubuntu-$1.$2")
}

func (p *Provider) readCatalog(ctx context.Context) (*provider.Catalog, error) {
	ctx = cloud.Operation(ctx)
	regions, _, _, err := pages(func(opts *godo.ListOptions) ([]godo.Region, *godo.Response, error) {
		return p.client.Regions.List(ctx, opts)
	})
	if err != nil {
		return nil, err
	}
	sizes, _, _, err := pages(func(opts *godo.ListOptions) ([]godo.Size, *godo.Response, error) {
		return p.client.Sizes.List(ctx, opts)
	})
	if err != nil {
		return nil, err
	}
	images, _, _, err := pages(func(opts *godo.ListOptions) ([]godo.Image, *godo.Response, error) {
		return p.client.Images.ListDistribution(ctx, opts)
	})
	if err != nil {
		return nil, err
	}
	c := &provider.Catalog{}
	for _, r := range regions {
		c.Regions = append(c.Regions, provider.Region{Name: r.Slug, Description: r.Name, Available: r.Available})
	}
	for _, s := range sizes {
		c.Sizes = append(c.Sizes, size(s))
	}
	slugs := make(map[string]string)
	for _, i := range images {
		if i.Slug == "" || i.Status != "available" {
			continue
		}
		name := imageName(i.Slug)
		slugs[name] = i.Slug
		c.Images = append(c.Images, provider.Image{
			Name: name, Description: i.Distribution + " " + i.Name, Architecture: provider.X86, Regions: i.Regions,
		})
	}
	p.slugs.Store(&slugs)
	return c, nil
}

// size describes a size of the vendor, whose processors are all of one architecture.
func size(s godo.Size) provider.Size {
	size := provider.Size{
		Name:         s.Slug,
		Description:  s.Description,
		Architecture: provider.X86,
		Cores:        s.Vcpus,
		MemoryMB:     s.Memory,
		DiskGB:       s.Disk,
	}
	if !s.Available {
		return size
	}
	price := provider.Price{Monthly: price(s.PriceMonthly), Hourly: price(s.PriceHourly), Currency: "USD"}
	for _, region := range s.Regions {
		size.Offers = append(size.Offers, provider.Offer{Region: region, Price: price})
	}
	return size
}

// price is a price as it is meant: the vendor sends 0.00893 as 0.008929999582469463.
func price(p float64) string { return strconv.FormatFloat(p, 'f', -1, 32) }

package vultr

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/vultr/govultr/v3"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge/provider"
)

// atOnce is how many regions are asked at a time.
const atOnce = 8

// Catalog implements provider.Cataloger.
func (p *Provider) Catalog(ctx context.Context) (*provider.Catalog, error) {
	c, err := p.catalog.Get(ctx)
	if err != nil {
		return nil, fmt.Errorf("vultr: catalogue: %w", err)
	}
	return c, nil
}

func (p *Provider) readCatalog(ctx context.Context) (*provider.Catalog, error) {
	regions, _, err := pages(ctx, p, govultr.ListOptions{}, p.client.Region.List)
	if err != nil {
		return nil, err
	}
	plans, _, err := pages(ctx, p, govultr.ListOptions{}, p.plans)
	if err != nil {
		return nil, err
	}
	systems, _, err := pages(ctx, p, govultr.ListOptions{}, p.client.OS.List)
	if err != nil {
		return nil, err
	}
	available, err := p.available(ctx, regions)
	if err != nil {
		return nil, err
	}
	c := new(provider.Catalog)
	for n, r := range regions {
		c.Regions = append(c.Regions, provider.Region{Name: r.ID, Description: r.City + ", " + r.Country, Available: len(available[n]) > 0})
	}
	for _, s := range plans {
		size := provider.Size{Name: s.ID, Description: s.Type, Architecture: provider.X86, Cores: s.VCPUCount, MemoryMB: s.RAM, DiskGB: s.Disk}
		price := provider.Price{Monthly: s.MonthlyCost.String(), Hourly: s.HourlyCost.String(), Currency: "USD"}
		for n, r := range regions {
			if slices.Contains(available[n], s.ID) {
				size.Offers = append(size.Offers, provider.Offer{Region: r.ID, Price: price})
			}
		}
		c.Sizes = append(c.Sizes, size)
	}
	numbers := make(map[string]int)
	for _, s := range systems {
		name := imageName(s)
		if _, twice := numbers[name]; name == "" || twice {
			continue
		}
		numbers[name] = s.ID
		c.Images = append(c.Images, provider.Image{Name: name, Description: s.Name, Architecture: provider.X86})
	}
	p.systems.Store(&numbers)
	return c, nil
}

// plan has the prices as Vultr writes them. govultr makes a binary fraction of the one
// and leaves the other out.
type plan struct {
	govultr.Plan
	MonthlyCost json.Number `json:"monthly_cost"`
	HourlyCost  json.Number `json:"hourly_cost"`
}

func (p *Provider) plans(ctx context.Context, opts *govultr.ListOptions) ([]plan, *govultr.Meta, *http.Response, error) {
	query := url.Values{"per_page": {fmt.Sprint(opts.PerPage)}}
	if opts.Cursor != "" {
		query.Set("cursor", opts.Cursor)
	}
	r, err := p.client.NewRequest(ctx, http.MethodGet, "/v2/plans?"+query.Encode(), nil)
	if err != nil {
		return nil, nil, nil, err
	}
	var page struct {
		Plans []plan        `json:"plans"`
		Meta  *govultr.Meta `json:"meta"`
	}
	resp, err := p.client.DoWithContext(ctx, r, &page)
	return page.Plans, page.Meta, resp, err
}

// available asks what can be had now in each of the regions.
func (p *Provider) available(ctx context.Context, regions []govultr.Region) ([][]string, error) {
	plans := make([][]string, len(regions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for n, r := range regions {
		group.Go(func() error {
			return p.ask(ctx, func(ctx context.Context) error {
				told, _, err := p.client.Region.Availability(ctx, r.ID, "") //nolint:bodyclose // wire has read it
				if err == nil && told != nil {
					plans[n] = told.AvailablePlans
				}
				return err
			})
		})
	}
	return plans, group.Wait()
}

// imageName makes "ubuntu-24.04" of "Ubuntu 24.04 LTS x64". What is no system for a
// server of forge's, such as Windows or a snapshot, has no name.
func imageName(system govultr.OS) string {
	switch {
	case system.Arch != "x64" || system.ID == 0:
		return ""
	case slices.Contains([]string{"windows", "iso", "snapshot", "backup", "application"}, system.Family):
		return ""
	}
	before, _, _ := strings.Cut(system.Name, " x64")
	words := strings.Fields(strings.ToLower(before))
	words = slices.DeleteFunc(words, func(word string) bool { return word == "lts" })
	return strings.Join(words, "-")
}

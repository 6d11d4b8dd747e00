package digitalocean

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/digitalocean/godo"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

const (
	// perPage is the vendor's limit.
	perPage = 200
	// readings is how often a list is read at most that changes meanwhile.
	readings = 3
)

// Get implements provider.Provider. Where many are asked for at once, all are
// listed instead, so that an answer can be some seconds old.
func (p *Provider) Get(ctx context.Context, id string) (*provider.Machine, error) {
	m, err := p.fleet.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("digitalocean: %w", err)
	}
	return m, nil
}

// List implements provider.Lister.
func (p *Provider) List(ctx context.Context) ([]*provider.Machine, error) {
	machines, _, err := p.all(ctx)
	if err != nil {
		return nil, fmt.Errorf("digitalocean: %w", err)
	}
	return machines, nil
}

// one asks for one machine.
func (p *Provider) one(ctx context.Context, id string) (*provider.Machine, error) {
	d, err := p.own(ctx, id)
	if err != nil {
		return nil, err
	}
	return p.machine(d), nil
}

// own returns a droplet that forge made.
func (p *Provider) own(ctx context.Context, id string) (*godo.Droplet, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	number, ok := parseID(id)
	if !ok {
		return nil, notFound(id)
	}
	d, _, err := p.client.Droplets.Get(ctx, number)
	if err != nil {
		return nil, failure(err)
	}
	if d == nil {
		return nil, errEmpty
	}
	if _, ours := p.marked(d.Tags); !ours {
		return nil, notFound(id)
	}
	return d, nil
}

// errHidden would have forge take what it made for a stranger's.
var errHidden = fmt.Errorf("%w: droplets do not show their tags: give the token the scope tag:read", provider.ErrPermission)

var errEmpty = fmt.Errorf("%w: the answer is empty", provider.ErrUnavailable)

func notFound(id string) error { return fmt.Errorf("%w: %q", provider.ErrNotFound, id) }

// parseID reads an id of the vendor, in the form in which it is written.
func parseID(id string) (int, bool) {
	number, err := strconv.Atoi(id)
	return number, err == nil && number > 0 && strconv.Itoa(number) == id
}

// all lists the machines that forge made.
func (p *Provider) all(ctx context.Context) (machines []*provider.Machine, requests int, err error) {
	droplets, requests, err := p.droplets(cloud.Operation(ctx), p.cfg.Namespace)
	for _, d := range droplets {
		machines = append(machines, p.machine(d))
	}
	return machines, requests, err
}

// droplets lists the droplets that forge made and that bear a tag. A deletion moves
// what is behind it to the page before, so that a list of several pages is read again
// when something may have been passed over: it would be taken for gone.
func (p *Provider) droplets(ctx context.Context, tag string) (ours []*godo.Droplet, requests int, err error) {
	seen := make(map[int]bool)
	for range readings {
		found, total, pages, err := pages(func(opts *godo.ListOptions) ([]godo.Droplet, *godo.Response, error) {
			return p.client.Droplets.ListByTag(ctx, tag, opts)
		})
		requests += pages
		if err != nil {
			return nil, requests, err
		}
		different := make(map[int]bool)
		for _, d := range found {
			if len(d.Tags) == 0 { // though it was found by one
				return nil, requests, errHidden
			}
			if _, ok := p.marked(d.Tags); ok && !seen[d.ID] {
				ours = append(ours, &d)
			}
			seen[d.ID], different[d.ID] = true, true
		}
		if len(different) >= total {
			break
		}
	}
	return ours, requests, nil
}

// pages reads a list of several pages. It says how long the list was at the first of
// them, and how many requests it took.
func pages[T any](list func(*godo.ListOptions) ([]T, *godo.Response, error)) (all []T, total, requests int, err error) {
	for page := 1; ; page++ {
		some, resp, err := list(&godo.ListOptions{Page: page, PerPage: perPage})
		requests++
		if err != nil {
			return nil, 0, requests, failure(err)
		}
		all = append(all, some...)
		if resp.Meta != nil && page == 1 {
			total = resp.Meta.Total
		}
		if resp.Links == nil || resp.Links.IsLastPage() || len(some) == 0 {
			return all, total, requests, nil
		}
	}
}

// machine describes a droplet.
func (p *Provider) machine(d *godo.Droplet) *provider.Machine {
	specID, _ := p.marked(d.Tags)
	m := &provider.Machine{
		ID:     strconv.Itoa(d.ID),
		SpecID: specID,
		Name:   d.Name,
		Status: status(d.Status),
		Port:   22,
		User:   "root",
		Labels: p.labels(d.Tags),
		Vendor: d,
	}
	m.Created, _ = time.Parse(time.RFC3339, d.Created)
	m.IPv4 = addr(d.PublicIPv4())
	m.IPv6 = addr(d.PublicIPv6())
	m.Private = addr(d.PrivateIPv4())
	m.Address = cloud.Address(m.IPv4, m.IPv6, m.Private)
	return m
}

// addr is an address, or none where there is none yet.
func addr(text string, _ error) netip.Addr {
	ip, _ := netip.ParseAddr(text)
	return ip
}

func status(s string) provider.Status {
	switch s {
	case "active":
		return provider.StatusActive
	case "off":
		return provider.StatusOff
	case "archive":
		return provider.StatusError
	default:
		return provider.StatusPending
	}
}

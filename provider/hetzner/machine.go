package hetzner

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// perPage is the vendor's limit.
const perPage = 50

// Get implements provider.Provider. Where many are asked for at once, all are
// listed instead, so that an answer can be some seconds old.
func (p *Provider) Get(ctx context.Context, id string) (*provider.Machine, error) {
	m, err := p.fleet.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("hetzner: %w", err)
	}
	return m, nil
}

// List implements provider.Lister.
func (p *Provider) List(ctx context.Context) ([]*provider.Machine, error) {
	machines, _, err := p.all(ctx)
	if err != nil {
		return nil, fmt.Errorf("hetzner: %w", err)
	}
	return machines, nil
}

// one asks for one machine.
func (p *Provider) one(ctx context.Context, id string) (*provider.Machine, error) {
	srv, err := p.own(ctx, id)
	if err != nil {
		return nil, err
	}
	return p.machine(srv), nil
}

// own returns a server that forge made.
func (p *Provider) own(ctx context.Context, id string) (*hcloud.Server, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	number, ok := parseID(id)
	if !ok {
		return nil, notFound(id)
	}
	srv, _, err := p.client.Server.GetByID(ctx, number)
	if err != nil {
		return nil, failure(err)
	}
	if srv == nil {
		return nil, notFound(id)
	}
	if _, ours := p.marked(srv.Labels); !ours {
		return nil, notFound(id)
	}
	return srv, nil
}

func notFound(id string) error { return fmt.Errorf("%w: %q", provider.ErrNotFound, id) }

// parseID reads an id of the vendor, in the form in which it is written.
func parseID(id string) (int64, bool) {
	number, err := strconv.ParseInt(id, 10, 64)
	return number, err == nil && number > 0 && formatID(number) == id
}

func formatID(id int64) string { return strconv.FormatInt(id, 10) }

// all lists the machines that forge made.
func (p *Provider) all(ctx context.Context) (machines []*provider.Machine, requests int, err error) {
	servers, requests, err := p.servers(cloud.Operation(ctx), "")
	for _, srv := range servers {
		machines = append(machines, p.machine(srv))
	}
	return machines, requests, err
}

// servers lists the servers that forge made, or made for an id. It reads the pages
// from the last to the first: a server moves to an earlier page when one before it is
// deleted, and would be missed otherwise, and taken for gone.
func (p *Provider) servers(ctx context.Context, specID string) (ours []*hcloud.Server, requests int, err error) {
	found := make(map[int64]*hcloud.Server)
	read := func(page int) (last int, err error) {
		requests++
		some, resp, err := p.client.Server.List(ctx, hcloud.ServerListOpts{
			ListOpts: hcloud.ListOpts{Page: page, PerPage: perPage, LabelSelector: p.selector(specID)},
			Sort:     []string{"id:asc"},
		})
		if err != nil {
			return 0, failure(err)
		}
		for _, srv := range some {
			if id, ok := p.marked(srv.Labels); ok && (specID == "" || id == specID) {
				found[srv.ID] = srv
			}
		}
		if resp.Meta.Pagination == nil {
			return 1, nil
		}
		return resp.Meta.Pagination.LastPage, nil
	}
	last, err := read(1)
	if last > 1 {
		for page := last; page > 0 && err == nil; page-- {
			_, err = read(page)
		}
	}
	if err != nil {
		return nil, requests, err
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		ours = append(ours, found[id])
	}
	return ours, requests, nil
}

// pages reads a list of several pages, of what does not change while it is read.
func pages[T any](list func(hcloud.ListOpts) ([]T, *hcloud.Response, error)) (all []T, err error) {
	for page := 1; page > 0; {
		some, resp, err := list(hcloud.ListOpts{Page: page, PerPage: perPage})
		if err != nil {
			return nil, failure(err)
		}
		all = append(all, some...)
		page = 0
		if resp.Meta.Pagination != nil {
			page = resp.Meta.Pagination.NextPage
		}
	}
	return all, nil
}

// machine describes a server.
func (p *Provider) machine(srv *hcloud.Server) *provider.Machine {
	specID, _ := p.marked(srv.Labels)
	m := &provider.Machine{
		ID:      formatID(srv.ID),
		SpecID:  specID,
		Name:    srv.Name,
		Status:  status(srv.Status),
		Port:    22,
		User:    "root",
		IPv4:    addr(srv.PublicNet.IPv4.IP),
		Labels:  maps.Clone(srv.Labels),
		Created: srv.Created,
		Vendor:  srv,
	}
	delete(m.Labels, markLabel)
	delete(m.Labels, idLabel)
	// A server gets a whole network, and takes its first address.
	if network := addr(srv.PublicNet.IPv6.IP); network.IsValid() {
		m.IPv6 = network.Next()
	}
	if len(srv.PrivateNet) > 0 {
		m.Private = addr(srv.PrivateNet[0].IP)
	}
	m.Address = cloud.Address(m.IPv4, m.IPv6, m.Private)
	return m
}

func addr(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func status(s hcloud.ServerStatus) provider.Status {
	switch s {
	case hcloud.ServerStatusRunning, hcloud.ServerStatusStopping:
		return provider.StatusActive
	case hcloud.ServerStatusOff, hcloud.ServerStatusDeleting:
		return provider.StatusOff
	default: // among them one that the vendor does not know at the moment
		return provider.StatusPending
	}
}

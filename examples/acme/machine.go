package acme

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// Get implements provider.Provider.
func (p *Provider) Get(ctx context.Context, id string) (*provider.Machine, error) {
	m, err := p.fleet.Get(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	return m, nil
}

// List implements provider.Lister.
func (p *Provider) List(ctx context.Context) ([]*provider.Machine, error) {
	all, _, err := p.all(ctx)
	if err != nil {
		return nil, fmt.Errorf("acme: %w", err)
	}
	return all, nil
}

// Delete implements provider.Provider. It returns when the server is gone. The key's
// entry goes first, as nothing says what it was for when the server is gone.
func (p *Provider) Delete(ctx context.Context, id string) error {
	if err := p.remove(cloud.Operation(ctx), id); err != nil {
		return fmt.Errorf("acme: delete %s: %w", id, err)
	}
	return nil
}

func (p *Provider) remove(ctx context.Context, id string) error {
	m, err := p.one(ctx, id)
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.dropKeys(ctx, m.SpecID); err != nil {
		return err
	}
	cause := p.ask(ctx, http.MethodDelete, "/servers/"+id, nil, nil)
	p.fleet.Changed(id)
	if cause != nil && !ambiguous(cause) && !errors.Is(cause, provider.ErrNotFound) {
		return cause
	}
	return cloud.WaitGone(ctx, "server", id, p.one, func(m *provider.Machine) error {
		if m.Status != provider.StatusOff {
			return cause // the order did not arrive
		}
		return nil
	})
}

// one asks for one machine. What forge did not make is not there.
func (p *Provider) one(ctx context.Context, id string) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// An id from outside must not lead to another path.
	if n, err := strconv.ParseUint(id, 10, 63); err != nil || strconv.FormatUint(n, 10) != id {
		return nil, fmt.Errorf("%w: %q", provider.ErrNotFound, id)
	}
	s := new(Server)
	if err := p.ask(ctx, http.MethodGet, "/servers/"+id, nil, s); err != nil {
		return nil, err
	}
	if !p.ours(s) {
		return nil, fmt.Errorf("%w: %q", provider.ErrNotFound, id)
	}
	return machine(s), nil
}

// all lists the machines of forge, for the fleet too.
func (p *Provider) all(ctx context.Context) (all []*provider.Machine, requests int, err error) {
	found, requests, err := p.servers(ctx, "")
	for _, s := range found {
		all = append(all, machine(s))
	}
	return all, requests, err
}

// servers lists the servers of forge, or those of one Spec.ID. All pages are read:
// a server that is on another page would be made again.
func (p *Provider) servers(ctx context.Context, specID string) (ours []*Server, requests int, err error) {
	for page := 1; page > 0; {
		var some struct {
			Servers []Server
			Next    int `json:"next_page"`
		}
		requests++
		if err := p.ask(ctx, http.MethodGet, fmt.Sprintf("/servers?page=%d&%s", page, p.selector(specID)), nil, &some); err != nil {
			return nil, requests, err
		}
		for _, s := range some.Servers { // the vendor's filter is not relied on
			if p.ours(&s) && (specID == "" || s.Labels[idLabel] == specID) {
				ours = append(ours, &s)
			}
		}
		page = some.Next
	}
	return ours, requests, nil
}

func (p *Provider) ours(s *Server) bool {
	return s.Labels[markLabel] == p.cfg.Namespace && s.Labels[idLabel] != ""
}

// selector is a query for what forge made, or made for an id.
func (p *Provider) selector(specID string) string {
	q := url.Values{"label": {markLabel + "=" + p.cfg.Namespace}}
	if specID != "" {
		q.Add("label", idLabel+"="+specID)
	}
	return q.Encode()
}

// machine describes a server; none is none.
func machine(s *Server) *provider.Machine {
	if s == nil {
		return nil
	}
	m := &provider.Machine{
		ID: s.ID, SpecID: s.Labels[idLabel], Name: s.Name, Status: provider.StatusPending, Port: 22, User: "root",
		Labels: maps.Clone(s.Labels), Created: s.Created, Vendor: s,
	}
	delete(m.Labels, markLabel)
	delete(m.Labels, idLabel)
	switch s.Status {
	case "running":
		m.Status = provider.StatusActive
	case "off", "deleting":
		m.Status = provider.StatusOff
	case "failed":
		m.Status = provider.StatusError
	}
	m.IPv4, _ = netip.ParseAddr(s.IPv4)
	m.Address = cloud.Address(m.IPv4)
	return m
}

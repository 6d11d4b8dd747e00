package hetzner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// Delete implements provider.Provider. It returns when the vendor does not know
// the server any more. A server that forge did not make is none, and stays.
func (p *Provider) Delete(ctx context.Context, id string) error {
	if err := p.remove(cloud.Operation(ctx), id); err != nil {
		return fmt.Errorf("hetzner: delete %s: %w", id, err)
	}
	return nil
}

func (p *Provider) remove(ctx context.Context, id string) error {
	m, err := p.doomed(ctx, id)
	if m == nil {
		return err
	}
	number, _ := parseID(m.ID)
	unlock, err := p.creating.Lock(ctx, m.SpecID)
	if err != nil {
		return err
	}
	defer unlock()
	// The server goes last, as nothing else says what there is to remove. It does
	// not need the entry of its key.
	if err := p.dropKeys(ctx, m.SpecID); err != nil {
		return err
	}
	_, _, err = p.client.Server.DeleteWithResult(ctx, &hcloud.Server{ID: number})
	p.fleet.Changed(id)
	switch {
	case hcloud.IsError(err, hcloud.ErrorCodeNotFound):
		return p.unlisted(ctx, id)
	case err != nil && !ambiguous(err):
		return failure(err)
	}
	return p.waitGone(ctx, id, failure(err))
}

// doomed returns the machine that is to be deleted, or nil when there is none. One
// that was just made may be listed and yet not be found by its id.
func (p *Provider) doomed(ctx context.Context, id string) (*provider.Machine, error) {
	m, err := p.fleet.Get(ctx, id)
	if err == nil || !errors.Is(err, provider.ErrNotFound) {
		return m, err
	}
	if _, ok := parseID(id); !ok {
		return nil, nil
	}
	return p.listed(ctx, id)
}

// listed returns a machine if it is in the list of all.
func (p *Provider) listed(ctx context.Context, id string) (*provider.Machine, error) {
	all, _, err := p.all(ctx)
	if i := slices.IndexFunc(all, func(m *provider.Machine) bool { return m.ID == id }); i >= 0 {
		return all[i], nil
	}
	return nil, err
}

// unlisted is nil for a server that is not found by its id and not listed either.
func (p *Provider) unlisted(ctx context.Context, id string) error {
	m, err := p.listed(ctx, id)
	if m != nil {
		return fmt.Errorf("%w: the server was made a moment ago, and cannot be deleted yet", provider.ErrUnavailable)
	}
	return err
}

// waitGone waits until a server is gone, unless nobody knows what became of the order
// to delete it, and it is as it was.
func (p *Provider) waitGone(ctx context.Context, id string, cause error) error {
	err := cloud.WaitGone(ctx, "server", id, p.own, func(srv *hcloud.Server) error {
		if srv.Status != hcloud.ServerStatusDeleting {
			return cause
		}
		return nil
	})
	p.fleet.Changed(id)
	if err == nil && cause != nil {
		return p.unlisted(ctx, id)
	}
	return err
}

// Clean implements provider.Cleaner.
func (p *Provider) Clean(ctx context.Context, spec provider.Spec) error {
	if err := p.dropKeys(cloud.Operation(ctx), spec.ID); err != nil {
		return fmt.Errorf("hetzner: clean up after %s: %w", spec.ID, err)
	}
	return nil
}

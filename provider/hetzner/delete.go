package hetzner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/seed-797f2c2c/forge/provider"
)

const (
	// goneIn is how long a server may take to be gone, looked at every gonePoll.
	goneIn   = time.Minute
	gonePoll = 2 * time.Second
)

// Delete implements provider.Provider. It returns when the vendor does not know
// the server any more. A server that forge did not make is none, and stays.
func (p *Provider) Delete(ctx context.Context, id string) error {
	if err := p.remove(ctx, id); err != nil {
		return fmt.Errorf("hetzner: delete %s: %w", id, err)
	}
	return nil
}

func (p *Provider) remove(ctx context.Context, id string) error {
	m, err := p.fleet.Get(ctx, id)
	if errors.Is(err, provider.ErrNotFound) {
		return nil
	}
	if err != nil {
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
		return fmt.Errorf("the key's entry: %w", err)
	}
	_, _, err = p.client.Server.DeleteWithResult(ctx, &hcloud.Server{ID: number})
	p.fleet.Changed()
	if hcloud.IsError(err, hcloud.ErrorCodeNotFound) {
		return nil
	}
	if err != nil && !ambiguous(err) {
		return failure(err)
	}
	return p.gone(ctx, id, failure(err))
}

// gone waits until a server is gone, unless asking for that had gone wrong and it
// is as it was.
func (p *Provider) gone(ctx context.Context, id string, cause error) error {
	for deadline := time.Now().Add(goneIn); ; {
		srv, err := p.own(ctx, id)
		switch {
		case errors.Is(err, provider.ErrNotFound):
			p.fleet.Changed()
			return nil
		case err != nil:
			return err
		case cause != nil && srv.Status != hcloud.ServerStatusDeleting:
			return cause
		case time.Now().After(deadline):
			return fmt.Errorf("%w: the server is %s still", provider.ErrUnavailable, srv.Status)
		}
		if err := sleep(ctx, gonePoll); err != nil {
			return err
		}
	}
}

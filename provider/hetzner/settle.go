package hetzner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

const (
	// shownTries is how often a server is looked for that has to be there, every
	// shownPoll.
	shownTries = 4
	shownPoll  = time.Second
)

// settle finds out what became of a request for a server with a key that ended with
// an error: it returns the server if there is one.
func (p *Provider) settle(ctx context.Context, spec provider.Spec, fingerprint string, cause error) (*hcloud.Server, error) {
	after, cancel := cloud.Aftermath(ctx)
	defer cancel()
	switch {
	case hcloud.IsError(cause, hcloud.ErrorCodeUniquenessError):
		srv, err := p.named(after, spec)
		if errors.Is(err, provider.ErrConflict) {
			err = p.undo(ctx, spec.ID, err)
		}
		return srv, err
	case ambiguous(cause):
		srv, err := cloud.Look(after, cause, 1, func() (*hcloud.Server, error) { return p.find(after, spec.ID) })
		if err != nil {
			return nil, err
		}
		if srv != nil {
			p.log.InfoContext(ctx, "hetzner: a server was made, though the answer was lost", "server", srv.ID, "error", cause)
			return srv, nil
		}
	}
	cause = refusal(cause)
	if errors.Is(cause, provider.ErrInvalid) {
		// Another process that made the same server and could not removed the entry.
		if entry, _, err := p.client.SSHKey.GetByFingerprint(after, fingerprint); err == nil && entry == nil {
			return nil, fmt.Errorf("%w: the key's entry was removed meanwhile: %s", provider.ErrUnavailable, cause.Error())
		}
	}
	return nil, p.undo(ctx, spec.ID, cause)
}

// undo removes the entry of the key of a server that was not made.
func (p *Provider) undo(ctx context.Context, specID string, cause error) error {
	return cloud.Undo(ctx, "server", cause, func(ctx context.Context) error { return p.dropKeys(ctx, specID) })
}

// named finds the server that has the name of a spec already. One that was made a
// moment ago may not be shown yet.
func (p *Provider) named(ctx context.Context, spec provider.Spec) (srv *hcloud.Server, err error) {
	for try := 1; srv == nil; try++ {
		srv, _, err = p.client.Server.GetByName(ctx, spec.Name)
		switch {
		case err != nil:
			return nil, failure(err)
		case srv == nil && try == shownTries:
			return nil, fmt.Errorf("%w: a server named %q exists, and is not shown yet", provider.ErrUnavailable, spec.Name)
		case srv == nil:
			if err := cloud.Sleep(ctx, shownPoll); err != nil {
				return nil, err
			}
		}
	}
	id, ours := p.marked(srv.Labels)
	switch {
	case ours && id == spec.ID:
		return srv, nil
	case ours:
		return nil, fmt.Errorf("%w: the name %q is that of server %d, which is forge's %s: choose another name", provider.ErrConflict, spec.Name, srv.ID, id)
	}
	return nil, fmt.Errorf("%w: the name %q is that of server %d, which forge did not make: choose another name", provider.ErrConflict, spec.Name, srv.ID)
}

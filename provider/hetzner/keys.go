package hetzner

import (
	"context"
	"fmt"
	"strings"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// key returns the vendor's entry of the control key of a spec. It makes one unless
// the project has the same key already, under whatever name.
func (p *Provider) key(ctx context.Context, spec provider.Spec) (*hcloud.SSHKey, error) {
	key, taken, err := p.makeKey(ctx, spec)
	if !taken {
		return key, err
	}
	other, _, err := p.client.SSHKey.GetByName(ctx, p.keyName(spec.ID))
	if err != nil {
		return nil, failure(err)
	}
	if other != nil {
		if id, ours := p.marked(other.Labels); !ours || id != spec.ID {
			return nil, fmt.Errorf("%w: the project has another SSH key named %q, which forge did not make: rename it", provider.ErrConflict, other.Name)
		}
		// An earlier try was with another key.
		if err := p.deleteKeys(ctx, []*hcloud.SSHKey{other}); err != nil {
			return nil, err
		}
	}
	if key, taken, err = p.makeKey(ctx, spec); taken {
		return nil, fmt.Errorf("%w: the SSH keys of the project change at the same time: %w", provider.ErrUnavailable, err)
	}
	return key, err
}

// makeKey makes an entry, or finds that of the same key. taken says that there is
// no such key, and another one of the same name.
func (p *Provider) makeKey(ctx context.Context, spec provider.Spec) (key *hcloud.SSHKey, taken bool, err error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(spec.AuthorizedKey))
	if err != nil {
		return nil, false, fmt.Errorf("%w: AuthorizedKey: %w", provider.ErrInvalid, err)
	}
	key, _, err = p.client.SSHKey.Create(ctx, hcloud.SSHKeyCreateOpts{
		Name:      p.keyName(spec.ID),
		PublicKey: strings.TrimSpace(spec.AuthorizedKey),
		Labels:    p.mark(nil, spec.ID),
	})
	if err == nil {
		return key, false, nil
	}
	exists := hcloud.IsError(err, hcloud.ErrorCodeUniquenessError)
	if !exists && !ambiguous(err) {
		return nil, false, failure(err)
	}
	found, _, lookup := p.client.SSHKey.GetByFingerprint(ctx, ssh.FingerprintLegacyMD5(public))
	switch {
	case lookup != nil:
		return nil, false, failure(lookup)
	case found != nil:
		return found, false, nil
	}
	return nil, exists, failure(err)
}

func (p *Provider) keyName(specID string) string { return p.cfg.Namespace + "-" + specID }

// dropKeys removes the entries that forge made for an id.
func (p *Provider) dropKeys(ctx context.Context, specID string) error {
	keys, err := p.keys(ctx, specID)
	if err == nil {
		err = p.deleteKeys(ctx, keys)
	}
	if err != nil {
		return fmt.Errorf("the key's entry: %w", err)
	}
	return nil
}

// keys lists the entries that forge made for an id.
func (p *Provider) keys(ctx context.Context, specID string) (ours []*hcloud.SSHKey, err error) {
	found, err := pages(func(opts hcloud.ListOpts) ([]*hcloud.SSHKey, *hcloud.Response, error) {
		opts.LabelSelector = p.selector(specID)
		return p.client.SSHKey.List(ctx, hcloud.SSHKeyListOpts{ListOpts: opts})
	})
	for _, key := range found {
		if id, ok := p.marked(key.Labels); ok && id == specID {
			ours = append(ours, key)
		}
	}
	return ours, err
}

func (p *Provider) deleteKeys(ctx context.Context, keys []*hcloud.SSHKey) error {
	for _, key := range keys {
		if _, err := p.client.SSHKey.Delete(ctx, key); err != nil && !hcloud.IsError(err, hcloud.ErrorCodeNotFound) {
			return failure(err)
		}
	}
	return nil
}

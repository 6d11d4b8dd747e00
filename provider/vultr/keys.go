package vultr

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vultr/govultr/v3"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// keyName is what an entry of forge's is known by. Vultr's keys have no tags, and their
// names may be taken more than once.
func (p *Provider) keyName(specID string) string {
	return "forge/" + p.cfg.Namespace + "/" + specID
}

// key returns the entry of the control key at Vultr: that of the id, which is made where
// there is none. If Vultr does not take it, as the account has it under another name,
// that one is used.
func (p *Provider) key(ctx context.Context, spec provider.Spec) (id string, err error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(spec.AuthorizedKey))
	if err != nil {
		return "", fmt.Errorf("%w: AuthorizedKey: %w", provider.ErrInvalid, err)
	}
	var cause error
	for range 2 { // a lost answer is looked up
		all, err := p.keys(ctx)
		if err != nil {
			return "", err
		}
		refused := cause != nil && !ambiguous(cause)
		for _, k := range all {
			if (refused || k.Name == p.keyName(spec.ID)) && same(k.SSHKey, public) {
				return k.ID, nil
			}
		}
		if refused {
			break
		}
		var made *govultr.SSHKey
		cause = p.ask(ctx, func(ctx context.Context) (err error) {
			made, _, err = p.client.SSHKey.Create(ctx, &govultr.SSHKeyReq{Name: p.keyName(spec.ID), SSHKey: strings.TrimSpace(spec.AuthorizedKey)}) //nolint:bodyclose // wire has read it
			return err
		})
		if cause == nil && made != nil {
			return made.ID, nil
		}
		if cause = cmp.Or(cause, errEmpty); errors.Is(cause, provider.ErrRateLimit) {
			break
		}
	}
	return "", cause
}

func (p *Provider) keys(ctx context.Context) ([]govultr.SSHKey, error) {
	all, _, err := pages(ctx, p, govultr.ListOptions{}, p.client.SSHKey.List)
	return all, err
}

// dropKeys removes the entries that forge made for an id, and no others.
func (p *Provider) dropKeys(ctx context.Context, specID string) error {
	all, err := p.keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.Name != p.keyName(specID) {
			continue
		}
		err := p.ask(ctx, func(ctx context.Context) error { return p.client.SSHKey.Delete(ctx, k.ID) })
		if err != nil && !errors.Is(err, provider.ErrNotFound) {
			return err
		}
	}
	return nil
}

func same(line string, public ssh.PublicKey) bool {
	other, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	return err == nil && bytes.Equal(other.Marshal(), public.Marshal())
}

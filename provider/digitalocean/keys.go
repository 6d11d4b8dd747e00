package digitalocean

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/digitalocean/godo"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// key returns the vendor's entry of the control key of a spec. It makes one unless
// the account has the same key already, under whatever name. The list of the entries
// is of no use: the vendor allows ten questions for it in a minute.
func (p *Provider) key(ctx context.Context, spec provider.Spec) (*godo.Key, error) {
	key, _, err := p.client.Keys.Create(ctx, &godo.KeyCreateRequest{
		Name:      p.keyName(spec.ID),
		PublicKey: strings.TrimSpace(spec.AuthorizedKey),
	})
	if err == nil && key != nil {
		return key, nil
	}
	// "SSH Key is already in use on your account", and what nobody knows.
	if err != nil && !ambiguous(err) && !errors.Is(failure(err), provider.ErrConflict) {
		return nil, failure(err)
	}
	found, _, lookup := p.client.Keys.GetByFingerprint(ctx, keyFingerprint(spec))
	switch {
	case lookup == nil && found != nil:
		return found, nil
	case lookup != nil && !gone(lookup):
		return nil, failure(lookup)
	case err == nil:
		return nil, errEmpty
	}
	return nil, failure(err)
}

// keyName is that of an entry which forge makes for an id.
func (p *Provider) keyName(specID string) string { return p.cfg.Namespace + ":" + specID }

// keyFingerprint is what the vendor knows the control key of a valid spec by.
func keyFingerprint(spec provider.Spec) string {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(spec.AuthorizedKey))
	if err != nil {
		return ""
	}
	return ssh.FingerprintLegacyMD5(public)
}

// dropKey removes the entry of a key, if forge made it for this id.
func (p *Provider) dropKey(ctx context.Context, specID, fingerprint string) error {
	if fingerprint == "" {
		return nil
	}
	key, _, err := p.client.Keys.GetByFingerprint(ctx, fingerprint)
	switch {
	case gone(err):
		return nil
	case err != nil:
		return fmt.Errorf("the key's entry: %w", failure(err))
	case key == nil:
		return fmt.Errorf("the key's entry: %w", errEmpty)
	case key.Name != p.keyName(specID):
		return nil // it was there before
	}
	if _, err := p.client.Keys.DeleteByID(ctx, key.ID); err != nil && !gone(err) {
		return fmt.Errorf("the key's entry: %w", failure(err))
	}
	return nil
}

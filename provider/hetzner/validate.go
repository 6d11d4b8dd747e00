package hetzner

import (
	"context"
	"fmt"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

// Validate implements provider.Provider: it tells a token that the vendor does not
// know from one that may only read.
//
// The vendor has no question for what a token may do. But it refuses every order of
// a token that may only read, before it looks at what the order is about; so what
// is sent is the order to delete an SSH key that cannot exist.
func (p *Provider) Validate(ctx context.Context) error {
	_, err := p.client.SSHKey.Delete(ctx, &hcloud.SSHKey{ID: 0})
	if err == nil || hcloud.IsError(err, hcloud.ErrorCodeNotFound, hcloud.ErrorCodeInvalidInput) {
		return nil
	}
	return fmt.Errorf("hetzner: %w", failure(err))
}

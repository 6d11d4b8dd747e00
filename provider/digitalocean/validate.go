package digitalocean

import (
	"context"
	"fmt"
	"strings"

	"github.com/digitalocean/godo"
)

// Validate implements provider.Provider: it tells a token that the vendor does not
// know from one with too little scope, by requests that the work is made of. One is
// the order to delete an SSH key that cannot exist, which a token that may only read is
// not allowed to give.
func (p *Provider) Validate(ctx context.Context) error {
	_, _, err := p.client.Droplets.ListByTag(ctx, p.cfg.Namespace, &godo.ListOptions{Page: 1, PerPage: 1})
	if err == nil { // without the scope to read it, droplets do not show their tags
		if _, _, err = p.client.Tags.Get(ctx, p.cfg.Namespace); gone(err) {
			err = nil
		}
	}
	if err == nil {
		if _, err = p.client.Keys.DeleteByFingerprint(ctx, strings.Repeat("00:", 15)+"00"); gone(err) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("digitalocean: %w", failure(err))
	}
	return nil
}

// Package acme is a provider for a cloud that does not exist, to begin your own
// with: docs/PROVIDERS.md says what is to be changed. It has all that a cloud's
// adapter needs, and its test is the suite of package providertest and a thousand
// answers that are lost.
package acme

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
	"github.com/seed-797f2c2c/forge/secret"
)

// maxUserData is the vendor's limit, in bytes.
const maxUserData = 32 << 10

// Config says whose servers are made.
type Config struct {
	// Token is an API token that may read and write servers and keys. Required.
	Token secret.Secret
	// Namespace marks what this installation of forge makes. Installations that
	// share an account need one each. Defaults to "forge".
	Namespace string
	// Region, Size and Image are those of a Spec without one.
	Region, Size, Image string
	// Endpoint is where the API is. Defaults to the vendor's.
	Endpoint string
	// Transport sends the requests. Defaults to http.DefaultTransport.
	Transport http.RoundTripper
}

// Provider makes servers in an account. It is safe for concurrent use.
type Provider struct {
	cfg     Config
	client  *http.Client
	fleet   *cloud.Fleet   // answers for many machines by one list
	catalog *cloud.Catalog // read every ten minutes at most
	locks   cloud.Locks    // by Spec.ID
}

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Lister    = (*Provider)(nil) // for the sweep of what is orphaned
	_ provider.Cataloger = (*Provider)(nil)
	_ provider.Cleaner   = (*Provider)(nil)
	_ provider.Power     = (*Provider)(nil)
)

// New makes a Provider. It checks the Config and does no I/O.
func New(cfg Config) (*Provider, error) {
	if cfg.Token.Empty() {
		return nil, fmt.Errorf("acme: %w: Token must be an API token", provider.ErrInvalid)
	}
	cfg.Namespace = cmp.Or(cfg.Namespace, "forge")
	cfg.Image = cmp.Or(cfg.Image, "debian-12")
	cfg.Endpoint = cmp.Or(cfg.Endpoint, "https://api.acme.example/v1")
	p := &Provider{cfg: cfg, client: newClient(cfg.Transport)}
	p.fleet = &cloud.Fleet{One: p.one, List: p.all}
	p.catalog = &cloud.Catalog{Read: p.readCatalog}
	return p, nil
}

// Properties implements provider.Provider.
func (p *Provider) Properties() provider.Properties {
	return provider.Properties{InjectsHostKey: true, Options: provider.Offered{UserData: true}}
}

// Validate implements provider.Provider. It asks for what the work needs, and for
// nothing that would take a token with more rights.
func (p *Provider) Validate(ctx context.Context) error {
	if _, _, err := p.servers(ctx, "none"); err != nil {
		return fmt.Errorf("acme: %w", err)
	}
	return nil
}

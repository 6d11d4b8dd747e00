// Package vultr is a provider for instances at Vultr.
//
// An instance is found again by its tags: "forge=<namespace>" and "forge-id=<Spec.ID>".
// The labels of a spec are tags beside them, as "key=value". Sizes are Vultr's plans.
// Images are its operating systems under a plain name, as "debian-12" for what Vultr
// calls "Debian 12 x64 (bookworm)".
//
// The API key needs the rights to manage servers and SSH keys, and the address that
// forge runs at has to be in the API's access control.
package vultr

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"sync/atomic"

	"github.com/vultr/govultr/v3"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
	"github.com/seed-797f2c2c/forge/secret"
)

// Config says whose instances are made.
type Config struct {
	// APIKey is a key of the account. Required.
	APIKey secret.Secret
	// Namespace marks what this installation of forge makes: letters, digits, dashes
	// and underscores. Installations that share an account need one each. Defaults to
	// "forge".
	Namespace string
	// Region, Size and Image are those of a Spec without one. Image defaults to
	// "debian-12".
	Region, Size, Image string
	// Endpoint is where the API is. Defaults to https://api.vultr.com.
	Endpoint string
	// Transport sends the requests. Defaults to http.DefaultTransport.
	Transport http.RoundTripper
}

// Provider makes instances in an account. It is safe for concurrent use.
type Provider struct {
	cfg     Config
	client  *govultr.Client
	fleet   *cloud.Fleet
	catalog *cloud.Catalog
	locks   cloud.Locks                    // by Spec.ID
	systems atomic.Pointer[map[string]int] // Vultr's numbers of the catalogue's images
}

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Lister    = (*Provider)(nil)
	_ provider.Cataloger = (*Provider)(nil)
	_ provider.Cleaner   = (*Provider)(nil)
	_ provider.Power     = (*Provider)(nil)
)

var namespace = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)

// New makes a Provider. It checks the Config and does no I/O.
func New(cfg Config) (*Provider, error) {
	if cfg.APIKey.Empty() {
		return nil, fmt.Errorf("vultr: %w: APIKey must be a key of the account", provider.ErrInvalid)
	}
	cfg.Namespace = cmp.Or(cfg.Namespace, "forge")
	if !namespace.MatchString(cfg.Namespace) {
		return nil, fmt.Errorf("vultr: %w: Namespace must be 1 to 63 letters, digits, dashes and underscores", provider.ErrInvalid)
	}
	cfg.Image = cmp.Or(cfg.Image, "debian-12")
	cfg.Endpoint = cmp.Or(cfg.Endpoint, "https://api.vultr.com")
	client, err := newClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("vultr: %w: Endpoint: %w", provider.ErrInvalid, err)
	}
	p := &Provider{cfg: cfg, client: client}
	p.fleet = &cloud.Fleet{One: p.one, List: p.all}
	p.catalog = &cloud.Catalog{Read: p.readCatalog}
	return p, nil
}

// Properties implements provider.Provider.
func (p *Provider) Properties() provider.Properties {
	return provider.Properties{
		InjectsHostKey: true,
		Options:        provider.Offered{UserData: true, Backups: true, Network: true},
	}
}

// Validate implements provider.Provider. It asks for what the work needs, and for
// nothing that would take a key with more rights.
func (p *Provider) Validate(ctx context.Context) error {
	_, _, err := p.instances(ctx, "none")
	if err == nil {
		_, err = p.keys(ctx)
	}
	if err != nil {
		return fmt.Errorf("vultr: %w", err)
	}
	return nil
}

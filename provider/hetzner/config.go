package hetzner

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"golang.org/x/net/http/httpguts"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
	"github.com/seed-797f2c2c/forge/secret"
)

// maxUserData is the vendor's limit.
const maxUserData = 32 << 10

// Config says whose servers are made, and how.
type Config struct {
	// Token is an API token of the project, with the right to read and write.
	// Required.
	Token secret.Secret
	// Namespace marks what this installation of forge makes, as the value of a
	// label. Installations that share a project, such as staging and production,
	// need one each, so that none sees the machines of another. Defaults to
	// "forge".
	Namespace string
	// Region is the location of a Spec without one, such as "fsn1".
	Region string
	// Size is the server type of a Spec without one, such as "cx23".
	Size string
	// Image is that of a Spec without one. Defaults to "debian-12".
	Image string
	// CatalogAge is how old the catalogue may be. Defaults to 10 minutes.
	CatalogAge time.Duration
	// Endpoint is where the API is. Defaults to the vendor's.
	Endpoint string
	// Transport sends the requests. Defaults to http.DefaultTransport.
	Transport http.RoundTripper
	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

// Provider makes servers in a project of Hetzner Cloud. It is safe for concurrent
// use, also by several processes. The rate limit of the project is known to one
// Provider, so that a process makes one for a token, not several.
type Provider struct {
	cfg      Config
	log      *slog.Logger
	client   *hcloud.Client
	fleet    *cloud.Fleet
	catalog  *cloud.Catalog
	images   atomic.Pointer[images] // as the catalogue had them last
	creating cloud.Locks            // by Spec.ID
}

var (
	_ provider.Provider  = (*Provider)(nil)
	_ provider.Lister    = (*Provider)(nil)
	_ provider.Cataloger = (*Provider)(nil)
	_ provider.Cleaner   = (*Provider)(nil)
	_ provider.Power     = (*Provider)(nil)
	_ provider.Resizer   = (*Provider)(nil)
	_ provider.Rebuilder = (*Provider)(nil)
)

// New makes a Provider. It checks the Config and does no I/O.
func New(cfg Config) (*Provider, error) {
	if cfg.Token.Empty() || !httpguts.ValidHeaderFieldValue(cfg.Token.Reveal()) {
		return nil, fmt.Errorf("hetzner: %w: Token must be an API token of the project", provider.ErrInvalid)
	}
	cfg.Namespace = cmp.Or(cfg.Namespace, "forge")
	if !labelValue.MatchString(cfg.Namespace) {
		return nil, fmt.Errorf("hetzner: %w: Namespace must be %s", provider.ErrInvalid, labelValueRule)
	}
	cfg.Image = cmp.Or(cfg.Image, "debian-12")
	cfg.Endpoint = cmp.Or(cfg.Endpoint, hcloud.Endpoint)
	if u, err := url.Parse(cfg.Endpoint); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("hetzner: %w: Endpoint must be an http or https URL", provider.ErrInvalid)
	}
	p := &Provider{cfg: cfg, log: cfg.Logger, client: newClient(cfg)}
	if p.log == nil {
		p.log = slog.Default()
	}
	p.fleet = &cloud.Fleet{One: p.one, List: p.all}
	p.catalog = &cloud.Catalog{Read: p.readCatalog, Age: cfg.CatalogAge}
	return p, nil
}

// Properties implements provider.Provider.
func (p *Provider) Properties() provider.Properties {
	return provider.Properties{
		InjectsHostKey: true,
		Options:        provider.Offered{UserData: true, Backups: true, Network: true, Firewalls: true, IPv6Only: true},
	}
}

package digitalocean

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/digitalocean/godo"
	"golang.org/x/net/http/httpguts"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
	"github.com/seed-797f2c2c/forge/secret"
)

// maxUserData is the vendor's limit.
const maxUserData = 64 << 10

// Config says whose droplets are made, and how.
type Config struct {
	// Token is an API token, with full access or the scopes that the package
	// names. Required.
	Token secret.Secret
	// Namespace marks what this installation of forge makes, as a tag.
	// Installations that share an account, such as staging and production, need
	// one each, so that none sees the machines of another. Defaults to "forge".
	Namespace string
	// Region is that of a Spec without one, such as "fra1".
	Region string
	// Size is that of a Spec without one, such as "s-1vcpu-1gb".
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

// Provider makes droplets in an account of DigitalOcean. It is safe for concurrent
// use, also by several processes. The rate limit of the account is known to one
// Provider, so that a process makes one for a token, not several.
type Provider struct {
	cfg      Config
	log      *slog.Logger
	client   *godo.Client
	fleet    *cloud.Fleet
	catalog  *cloud.Catalog
	slugs    atomic.Pointer[map[string]string] // of images, by name, when the catalogue was read
	creating cloud.Locks                       // by Spec.ID
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

// namespace is of characters that a tag has as they are.
var namespace = regexp.MustCompile(`^[a-z0-9-]{1,63}$`)

// New makes a Provider. It checks the Config and does no I/O.
func New(cfg Config) (*Provider, error) {
	if cfg.Token.Empty() || !httpguts.ValidHeaderFieldValue(cfg.Token.Reveal()) {
		return nil, fmt.Errorf("digitalocean: %w: Token must be an API token of the account", provider.ErrInvalid)
	}
	cfg.Namespace = cmp.Or(cfg.Namespace, "forge")
	if !namespace.MatchString(cfg.Namespace) {
		return nil, fmt.Errorf("digitalocean: %w: Namespace must be 1 to 63 small letters, digits and dashes", provider.ErrInvalid)
	}
	cfg.Image = cmp.Or(cfg.Image, "debian-12")
	cfg.Endpoint = cmp.Or(cfg.Endpoint, "https://api.digitalocean.com/")
	endpoint, err := url.Parse(cfg.Endpoint)
	if err != nil || endpoint.Host == "" || (endpoint.Scheme != "https" && endpoint.Scheme != "http") {
		return nil, fmt.Errorf("digitalocean: %w: Endpoint must be an http or https URL", provider.ErrInvalid)
	}
	p := &Provider{cfg: cfg, log: cfg.Logger, client: newClient(cfg, endpoint)}
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
		Options:        provider.Offered{UserData: true, Backups: true, Monitoring: true, Network: true, Firewalls: true},
	}
}

package hetzner

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"golang.org/x/net/http/httpguts"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
	"github.com/seed-797f2c2c/forge/secret"
)

const (
	// maxUserData is the vendor's limit.
	maxUserData = 32 << 10
	// budget is how many requests the vendor gives back in an hour, where it
	// does not say another number.
	budget = 3600
	// requestTimeout bounds a question with all its tries, and an order.
	requestTimeout = time.Minute
)

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
// use, also by several processes.
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
	p := &Provider{cfg: cfg, log: cfg.Logger}
	if p.log == nil {
		p.log = slog.Default()
	}
	p.client = newClient(cfg)
	p.fleet = &cloud.Fleet{One: p.one, List: p.all}
	p.catalog = &cloud.Catalog{Read: p.readCatalog, Age: cfg.CatalogAge}
	return p, nil
}

// newClient makes a client whose retries are those of cloud.Transport alone.
func newClient(cfg Config) *hcloud.Client {
	return hcloud.NewClient(
		hcloud.WithToken(cfg.Token.Reveal()),
		hcloud.WithEndpoint(cfg.Endpoint),
		hcloud.WithApplication("forge", ""),
		hcloud.WithRetryOpts(hcloud.RetryOpts{MaxRetries: 0}),
		hcloud.WithHTTPClient(&http.Client{
			Timeout: requestTimeout,
			Transport: &cloud.Transport{
				Base:    cfg.Transport,
				Limiter: cloud.NewLimiter(cloud.Limits{Every: time.Hour / budget}),
				Budget:  left,
			},
			// A redirect would send an order a second time.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}),
	)
}

// left reads what an answer says of the rate limit. The time in it is when all
// requests are back; they come back one by one.
func left(resp *http.Response) (left int, next time.Time, ok bool) {
	left, err := strconv.Atoi(resp.Header.Get("RateLimit-Remaining"))
	if err != nil {
		return 0, time.Time{}, false
	}
	limit, err := strconv.Atoi(resp.Header.Get("RateLimit-Limit"))
	if err != nil || limit <= 0 {
		limit = budget
	}
	return left, time.Now().Add(time.Hour / time.Duration(limit)), true
}

// Properties implements provider.Provider.
func (p *Provider) Properties() provider.Properties {
	return provider.Properties{
		InjectsHostKey: true,
		Options:        provider.Offered{UserData: true, Backups: true, Network: true, Firewalls: true, IPv6Only: true},
	}
}

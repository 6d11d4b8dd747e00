package nspawn

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
)

// Config says where machines live. The zero value is ready for use.
type Config struct {
	// Dir holds base images, disks and state, on a file system that overlayfs
	// can write to: ext4, xfs or tmpfs. Programs that use the same Dir see the
	// same machines. Defaults to /var/lib/forge-nspawn.
	Dir string

	// Mirrors are the package mirrors by distribution, "debian" or "ubuntu".
	// Debian defaults to the project's own; Ubuntu images are refused unless
	// its mirror is named.
	Mirrors map[string]string

	// Images adds base images by the name that Spec.Image asks for: each a
	// directory with a root file system, or several joined by colons, the
	// topmost first. [Provider.Freeze] makes such layers.
	Images map[string]string

	// Subnet is the IPv4 network from which machines get their addresses, at
	// most a /29. Defaults to the first of a few private ones that overlaps no
	// address or route of the host.
	Subnet netip.Prefix

	// DiskMiB bounds what a machine can write, in MiB: its disk is an ext4 file
	// system of that size. Such a machine cannot be frozen. Defaults to no bound
	// but that of Dir.
	DiskMiB int

	// SuppressSync makes the syncs of a machine return at once, so that an
	// install takes half as long, and a crash of this host may cost the
	// machine its disk: for machines that are not kept. It is set when a
	// machine is created or started.
	SuppressSync bool

	// CloudInit makes machines behave as those of a cloud do: the images of
	// distributions get cloud-init, by which host key, control key and
	// Spec.UserData arrive on the first start, which takes some seconds more. User
	// data, with the host key, stays readable for root of the machine. Images
	// named in Images must have cloud-init themselves.
	CloudInit bool

	// Logger defaults to slog.Default().
	Logger *slog.Logger
}

// Provider makes machines on this host. It is safe for concurrent use, by
// several processes too.
type Provider struct {
	cfg    Config
	log    *slog.Logger
	images map[string]image
}

var (
	_ provider.Provider = (*Provider)(nil)
	_ provider.Lister   = (*Provider)(nil)
	_ provider.Power    = (*Provider)(nil)
)

// New returns a Provider. It checks the Config and does no I/O.
func New(cfg Config) (*Provider, error) {
	if cfg.Dir == "" {
		cfg.Dir = "/var/lib/forge-nspawn"
	}
	if !filepath.IsAbs(cfg.Dir) || strings.ContainsAny(cfg.Dir, ":,\\ \t\n") {
		return nil, fmt.Errorf("nspawn: Dir %q: %w: must be absolute, without space, colon, comma or backslash", cfg.Dir, provider.ErrInvalid)
	}
	cfg.Dir = filepath.Clean(cfg.Dir)
	if s := cfg.Subnet; s.IsValid() && (!s.Addr().Is4() || s.Bits() > 29 || s.Masked() != s) {
		return nil, fmt.Errorf("nspawn: Subnet %s: %w: must be an IPv4 network of at most /29", s, provider.ErrInvalid)
	}
	if cfg.DiskMiB != 0 && cfg.DiskMiB < minDiskMiB {
		return nil, fmt.Errorf("nspawn: DiskMiB %d: %w: must be at least %d", cfg.DiskMiB, provider.ErrInvalid, minDiskMiB)
	}
	for dist, mirror := range cfg.Mirrors {
		if err := checkMirror(dist, mirror); err != nil {
			return nil, fmt.Errorf("nspawn: mirror %q of %q: %w: %w", mirror, dist, provider.ErrInvalid, err)
		}
	}
	p := &Provider{cfg: cfg, log: cfg.Logger, images: images(cfg.Mirrors)}
	if p.log == nil {
		p.log = slog.Default()
	}
	for name, dirs := range cfg.Images {
		for dir := range strings.SplitSeq(dirs, ":") {
			if !filepath.IsAbs(dir) || strings.ContainsAny(dir, ",\\\n") {
				return nil, fmt.Errorf("nspawn: image %q: %w: directory %q must be absolute, without comma or backslash", name, provider.ErrInvalid, dir)
			}
		}
		p.images[name] = image{lower: dirs}
	}
	return p, nil
}

// Properties implements provider.Provider.
func (p *Provider) Properties() provider.Properties {
	return provider.Properties{InjectsHostKey: true, Options: provider.Offered{UserData: p.cfg.CloudInit}}
}

func checkMirror(dist, mirror string) error {
	if dist != "debian" && dist != "ubuntu" {
		return errors.New("distribution must be debian or ubuntu")
	}
	u, err := url.Parse(mirror)
	if err != nil {
		return err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.ContainsAny(mirror, " \t[]\"'") {
		return errors.New("must be an http or https URL")
	}
	return nil
}

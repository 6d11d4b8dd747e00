package nspawn

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
)

// packages are the tools that Create and Delete run, with the Debian and
// Ubuntu packages that have them.
var packages = []struct{ tool, name string }{
	{"mmdebstrap", "mmdebstrap"},
	{"systemd-nspawn", "systemd-container"},
	{"nft", "nftables"},
	{"ip", "iproute2"},
	{"setsid", "util-linux"},
	{"unshare", "util-linux"},
}

// Validate implements provider.Provider: it checks the rights, the tools and
// what the kernel can do. What is missing is a provider.ErrMissing that says
// what to install.
func (p *Provider) Validate(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("nspawn: %w: machines need Linux, this is %s", provider.ErrMissing, runtime.GOOS)
	}
	var tools, install []string
	for _, pkg := range packages {
		if _, err := exec.LookPath(pkg.tool); err != nil {
			tools = append(tools, pkg.tool)
			install = append(install, pkg.name)
		}
	}
	if tools != nil {
		return fmt.Errorf("nspawn: %w: %s not found: apt-get install %s",
			provider.ErrMissing, strings.Join(tools, ", "), strings.Join(install, " "))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("nspawn: %w: must run as root", provider.ErrMissing)
	}
	if _, err := cgroupRoot(); err != nil {
		return fmt.Errorf("nspawn: %w: %w", provider.ErrMissing, err)
	}
	if _, err := run(ctx, "", "nft", "list", "tables"); err != nil {
		return fmt.Errorf("nspawn: %w: nftables in the kernel: %w", provider.ErrMissing, err)
	}
	if err := p.probeOverlay(ctx); err != nil {
		return fmt.Errorf("nspawn: %w: overlayfs on %s, choose a Dir on ext4, xfs or tmpfs: %w", provider.ErrMissing, p.cfg.Dir, err)
	}
	return nil
}

// probeOverlay mounts one, which loads the kernel's module and asks the file
// system of Dir as well.
func (p *Provider) probeOverlay(ctx context.Context) (err error) {
	if err := os.MkdirAll(p.cfg.Dir, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(p.cfg.Dir, "probe-")
	if err != nil {
		return err
	}
	defer func() {
		if e := removeTree(dir); err == nil {
			err = e
		}
	}()
	lower := filepath.Join(dir, "lower")
	if err := os.Mkdir(lower, 0o750); err != nil {
		return err
	}
	return disk(dir).mount(ctx, "probe", &record{Lower: lower})
}

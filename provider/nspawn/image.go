package nspawn

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-797f2c2c/forge/internal/filelock"
	"github.com/seed-797f2c2c/forge/provider"
)

// image is what a machine's disk is laid upon: directories that exist, or a
// distribution's suite to be made one.
type image struct {
	lower   string   // directories joined by colons, topmost first
	dist    string   // "debian" or "ubuntu"
	suite   string   // as "bookworm"
	sources []string // apt's sources; none when no mirror is named
}

// contents are the packages of a base image beside the distribution's minimum.
const contents = "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,ca-certificates,iproute2,procps"

// keyring returns where the keys of a distribution are, and the package that
// puts them there.
func keyring(dist string) (path, pkg string) {
	path = "/usr/share/keyrings/" + dist + "-archive-keyring.gpg"
	if dist == "ubuntu" {
		return path, "ubuntu-keyring"
	}
	return path, "debian-archive-keyring"
}

func images(mirrors map[string]string) map[string]image {
	all := map[string]image{
		"debian-12":    {dist: "debian", suite: "bookworm"},
		"debian-13":    {dist: "debian", suite: "trixie"},
		"ubuntu-22.04": {dist: "ubuntu", suite: "jammy"},
		"ubuntu-24.04": {dist: "ubuntu", suite: "noble"},
	}
	for name, img := range all {
		mirror := strings.TrimSuffix(mirrors[img.dist], "/")
		if mirror == "" {
			continue // for Debian, mmdebstrap knows one
		}
		security, components := mirror, "main universe"
		if img.dist == "debian" {
			security, components = mirror+"-security", "main"
		}
		keys, _ := keyring(img.dist)
		for _, s := range [][2]string{{mirror, img.suite}, {mirror, img.suite + "-updates"}, {security, img.suite + "-security"}} {
			img.sources = append(img.sources, fmt.Sprintf("deb [signed-by=%s] %s %s %s", keys, s[0], s[1], components))
		}
		all[name] = img
	}
	return all
}

// Prepare makes what the first machine of an image, by default of "debian-12", would
// have to wait for. What is there already takes no time.
func (p *Provider) Prepare(ctx context.Context, image string) error {
	if _, err := p.base(ctx, cmp.Or(image, defaultImage)); err != nil {
		return fmt.Errorf("nspawn: prepare: %w", err)
	}
	return nil
}

const defaultImage = "debian-12"

// base returns the directories of an image, joined by colons. It makes the
// image, once for all processes, when Dir does not have it yet.
func (p *Provider) base(ctx context.Context, name string) (string, error) {
	plain, err := p.plainBase(ctx, name)
	if err != nil || !p.cfg.CloudInit || p.images[name].lower != "" {
		return plain, err
	}
	return p.cloudBase(ctx, name, plain)
}

func (p *Provider) plainBase(ctx context.Context, name string) (string, error) {
	img, ok := p.images[name]
	switch {
	case !ok:
		return "", fmt.Errorf("%w: image %q is unknown; there are %s", provider.ErrInvalid, name,
			strings.Join(slices.Sorted(maps.Keys(p.images)), ", "))
	case img.lower != "":
		return img.lower, nil
	case img.sources == nil && img.dist != "debian":
		return "", fmt.Errorf("%w: image %q needs Config.Mirrors[%q]", provider.ErrInvalid, name, img.dist)
	}
	settings, err := aptSettings(ctx)
	if err != nil {
		return "", err
	}
	recipe := sha256.Sum256([]byte(strings.Join(append(img.sources, contents, settings, tidy), "\n")))
	dir := filepath.Join(p.cfg.Dir, "images", name+"-"+hex.EncodeToString(recipe[:6]))
	held, err := p.lock(ctx, "image "+name)
	if err != nil {
		return "", err
	}
	defer held.Release()
	if exists(dir) {
		return dir, nil
	}
	if path, pkg := keyring(img.dist); !exists(path) {
		return "", fmt.Errorf("%w: %s: apt-get install %s", provider.ErrMissing, path, pkg)
	}
	start := time.Now()
	p.log.InfoContext(ctx, "making base image", "image", name)
	partial := filepath.Join(p.cfg.Dir, "images", name+".partial")
	if err := bootstrap(ctx, held, img, settings, partial); err != nil {
		return "", errors.Join(err, removeTree(partial))
	}
	if err := os.Rename(partial, dir); err != nil {
		return "", err
	}
	p.log.InfoContext(ctx, "base image made", "image", name, "duration", time.Since(start))
	return dir, p.removeOutdated(name, dir)
}

// removeOutdated removes the images that were made by another recipe for the
// same name, but those that machines lie on.
func (p *Provider) removeOutdated(name, current string) error {
	dirs, err := filepath.Glob(filepath.Join(p.cfg.Dir, "images", name+"-*"))
	if err != nil {
		return err
	}
	ids, err := p.ids()
	if err != nil {
		return err
	}
	var used []string
	for _, id := range ids {
		if rec, err := p.load(id); err == nil {
			used = append(used, strings.Split(rec.Lower, ":")...)
		}
	}
	for _, dir := range dirs {
		if dir != current && !slices.Contains(used, dir) {
			err = errors.Join(err, removeTree(dir))
		}
	}
	return err
}

// tidy takes away from a base image what a machine must have of its own, and
// bounds the journal. $1 is the image.
const tidy = `rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id "$1"/etc/hostname "$1"/etc/resolv.conf
mkdir -p "$1/etc/systemd/journald.conf.d" "$1/root/.ssh"
chmod 700 "$1/root/.ssh"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n' >"$1/etc/systemd/journald.conf.d/size.conf"`

// bootstrap makes a root file system in dir. Its processes inherit the lock:
// when this program is killed, the next one waits until they are gone too.
func bootstrap(ctx context.Context, held *filelock.Held, img image, settings, dir string) error {
	if err := removeTree(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	args := []string{"--quiet", "--mode=root", "--format=directory", "--variant=minbase", "--include=" + contents,
		`--aptopt=Acquire::Languages "none"`, "--customize-hook=" + tidy}
	for line := range strings.Lines(settings) {
		args = append(args, "--aptopt="+strings.TrimSpace(line))
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", append(append(args, "--", img.suite, dir), img.sources...)...)
	cmd.ExtraFiles = []*os.File{held.File()}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it cleans up after itself
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return toolError(ctx, "mmdebstrap", err, output.Bytes())
	}
	return nil
}

// aptSettings returns what the host's apt was told about reaching mirrors, for
// the machines' apt, one setting a line.
func aptSettings(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("apt-config"); errors.Is(err, exec.ErrNotFound) {
		return "", nil // not a Debian: no settings
	}
	out, err := run(ctx, "", "apt-config", "dump", "Acquire")
	if err != nil {
		return "", err
	}
	var kept strings.Builder
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(line, " ")
		switch strings.ToLower(name) {
		case "acquire::http::proxy", "acquire::https::proxy", "acquire::check-valid-until", "acquire::check-date":
			kept.WriteString(line)
		}
	}
	return kept.String(), nil
}

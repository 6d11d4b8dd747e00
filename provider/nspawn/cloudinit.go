package nspawn

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-797f2c2c/forge/internal/filelock"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

// maxUserData is as much user data as the most generous of clouds takes, in bytes.
const maxUserData = 64 << 10

//go:embed cloudinit.sh
var addCloudInit string

// cloudConfig has cloud-init work as in the images of clouds that give servers to
// root, and leave alone what is this host's to do.
const cloudConfig = `datasource_list: [NoCloud]
disable_root: false
users: []
network: {config: disabled}
growpart: {mode: 'off'}
resize_rootfs: false
locale: false
`

// cloudBase returns the directories of an image with cloud-init: a layer upon those
// of the plain one, which is made once like that.
func (p *Provider) cloudBase(ctx context.Context, name, plain string) (string, error) {
	name = "cloud-" + name
	recipe := sha256.Sum256([]byte(plain + "\n" + addCloudInit + cloudConfig))
	dir := filepath.Join(p.cfg.Dir, "images", name+"-"+hex.EncodeToString(recipe[:6]))
	held, err := p.lock(ctx, "image "+name)
	if err != nil {
		return "", err
	}
	defer held.Release()
	lower := dir + ":" + plain
	if exists(dir) {
		return lower, nil
	}
	start := time.Now()
	p.log.InfoContext(ctx, "making base image", "image", name)
	partial := disk(filepath.Join(p.cfg.Dir, "images", name+".partial"))
	err = partial.addCloudInit(ctx, held, plain)
	if err == nil {
		err = os.Rename(partial.upper(), dir)
	}
	if err := errors.Join(err, removeTree(string(partial))); err != nil {
		return "", err
	}
	p.log.InfoContext(ctx, "base image made", "image", name, "duration", time.Since(start))
	return lower, p.removeOutdated(name, dir)
}

// addCloudInit makes the layer. Its processes end with this one; until they have,
// they hold the lock.
func (d disk) addCloudInit(ctx context.Context, held *filelock.Held, plain string) error {
	if err := removeTree(string(d)); err != nil {
		return err
	}
	if err := d.mount(ctx, "image", &record{Lower: plain}); err != nil {
		return err
	}
	err := d.write(file{"etc/resolv.conf", 0o644, resolvConf()}, file{"etc/cloud/cloud.cfg.d/90-forge.cfg", 0o644, []byte(cloudConfig)})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--root="+d.root(), "--mount-proc",
		"/bin/sh", "-c", addCloudInit)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd.ExtraFiles = []*os.File{held.File()}
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Run(); err != nil {
		return toolError(ctx, "install cloud-init", err, output.Bytes())
	}
	return unmountBelow(string(d))
}

// seed returns the files by which cloud-init learns on the first start what the
// machine is to be, as it does from a cloud's metadata address.
func seed(spec provider.Spec, instance string) ([]file, error) {
	user, err := cloud.UserData(spec, maxUserData)
	if err != nil {
		return nil, err
	}
	meta, err := json.Marshal(map[string]any{ // which is YAML too
		"instance-id":    instance,
		"local-hostname": spec.Name,
		"public-keys":    []string{strings.TrimSpace(spec.AuthorizedKey)},
	})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return []file{
		{"var/lib/cloud/seed/nocloud/meta-data", 0o600, append(meta, '\n')},
		{"var/lib/cloud/seed/nocloud/user-data", 0o600, []byte(user)},
	}, nil
}

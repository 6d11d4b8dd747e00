package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/provider/hetzner"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/secret"
)

func (o *options) newProvider() (provider.Provider, error) {
	switch o.provider {
	case "nspawn":
		return nspawn.New(nspawn.Config{SuppressSync: !o.keep})
	case "static":
		if o.host == "" {
			return nil, errors.New("-provider static needs -host")
		}
		signer, err := o.signer()
		if err != nil {
			return nil, err
		}
		return static.New(static.Config{Signers: []ssh.Signer{signer}}), nil
	case "digitalocean":
		o.region, o.size = cmp.Or(o.region, "fra1"), cmp.Or(o.size, "s-1vcpu-2gb")
		return digitalocean.New(digitalocean.Config{Token: secret.New(os.Getenv("DIGITALOCEAN_TOKEN"))})
	case "hetzner":
		o.region, o.size = cmp.Or(o.region, "fsn1"), cmp.Or(o.size, "cx23")
		return hetzner.New(hetzner.Config{Token: secret.New(os.Getenv("HCLOUD_TOKEN"))})
	}
	return nil, fmt.Errorf("-provider must be nspawn, static, digitalocean or hetzner, not %q", o.provider)
}

// signer is the key for the first login; after that, forge uses its own.
func (o options) signer() (ssh.Signer, error) {
	file := o.key
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		file = filepath.Join(home, ".ssh", "id_ed25519")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the key for the first login: %w", err)
	}
	return ssh.ParsePrivateKey(pem)
}

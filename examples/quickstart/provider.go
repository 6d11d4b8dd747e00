package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/provider/static"
)

func (o options) newProvider() (provider.Provider, error) {
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
	}
	return nil, fmt.Errorf("-provider must be nspawn or static, not %q", o.provider)
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

package nspawn

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// maxName is what the kernel takes for a host name, in bytes.
const maxName = 64

// identity returns the files that make a disk the machine of spec: its name,
// its host key and who may log in, or where cloud-init finds the latter.
func identity(spec provider.Spec, cloudInit bool) ([]file, error) {
	if len(spec.Name) > maxName {
		return nil, fmt.Errorf("%w: Name must have at most %d characters", provider.ErrInvalid, maxName)
	}
	authorized, _, _, _, err := ssh.ParseAuthorizedKey([]byte(spec.AuthorizedKey))
	if err != nil {
		return nil, fmt.Errorf("%w: AuthorizedKey is required: nobody could log in", provider.ErrInvalid)
	}
	machineID := make([]byte, 16)
	_, _ = rand.Read(machineID)
	short, _, _ := strings.Cut(spec.Name, ".")
	hosts := "127.0.0.1 localhost\n127.0.1.1 " + spec.Name
	if short != spec.Name {
		hosts += " " + short
	}
	hosts += "\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
	files := []file{
		{"etc/hostname", 0o644, []byte(spec.Name + "\n")},
		{"etc/hosts", 0o644, []byte(hosts)},
		{"etc/machine-id", 0o444, []byte(hex.EncodeToString(machineID) + "\n")},
	}
	var keys []file
	if cloudInit {
		keys, err = seed(spec, hex.EncodeToString(machineID))
	} else {
		keys, err = keyFiles(spec.HostKey, authorized)
	}
	return append(files, keys...), err
}

// keyFiles are the host key, a new one if there is none, and who may log in.
func keyFiles(hostKey []byte, authorized ssh.PublicKey) ([]file, error) {
	if len(hostKey) == 0 {
		made, err := newHostKey()
		if err != nil {
			return nil, err
		}
		hostKey = made
	}
	signer, err := ssh.ParsePrivateKey(hostKey)
	if err != nil || signer.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return nil, fmt.Errorf("%w: HostKey must be an ed25519 key in OpenSSH PEM", provider.ErrInvalid)
	}
	return []file{
		{"etc/ssh/ssh_host_ed25519_key", 0o600, hostKey},
		{"etc/ssh/ssh_host_ed25519_key.pub", 0o644, ssh.MarshalAuthorizedKey(signer.PublicKey())},
		{"root/.ssh/authorized_keys", 0o600, ssh.MarshalAuthorizedKey(authorized)},
	}, nil
}

func newHostKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, errors.New("cannot encode the host key")
	}
	return pem.EncodeToMemory(block), nil
}

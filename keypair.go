package forge

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/secret"
)

// newKeypair makes an ed25519 key pair: the public half as an authorized_keys
// line without a comment, the private one as OpenSSH PEM.
func newKeypair(comment string) (public string, private secret.Secret, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", secret.Secret{}, fmt.Errorf("make a key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(priv, comment)
	if err != nil {
		return "", secret.Secret{}, fmt.Errorf("make a key: %w", err)
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", secret.Secret{}, fmt.Errorf("make a key: %w", err)
	}
	return authorizedKey(sshPub), secret.New(string(pem.EncodeToMemory(block))), nil
}

func authorizedKey(k ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
}

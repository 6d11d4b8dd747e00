package tink

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/core/cryptofmt"

	"github.com/seed-797f2c2c/forge/secret"
)

// Seal encrypts s for its place with the primary key.
func (k *Keyset) Seal(_ context.Context, s secret.Secret, place string) (secret.Sealed, error) {
	sealed, err := k.aead.Encrypt([]byte(s.Reveal()), []byte(place))
	if err != nil {
		return nil, fmt.Errorf("seal %q: %w", place, err)
	}
	return sealed, nil
}

// Open decrypts what was sealed for the same place with one of the keys.
// Everything else is [secret.ErrNotAuthentic], with what is known of the key.
func (k *Keyset) Open(_ context.Context, sealed secret.Sealed, place string) (secret.Secret, error) {
	value, err := k.aead.Decrypt(sealed, []byte(place))
	if err != nil { // which never says more than that
		return secret.Secret{}, fmt.Errorf("open %q: %s: %w", place, k.doubt(sealed), secret.ErrNotAuthentic)
	}
	return secret.New(string(value)), nil
}

// doubt says what is known of a value that does not open.
func (k *Keyset) doubt(sealed secret.Sealed) string {
	id := k.KeyOf(sealed)
	key, found := k.find(id)
	switch {
	case id == "":
		return "it was sealed by something else than a Tink keyset"
	case !found:
		return "it was sealed with key " + id + ", which is not in the keyset"
	case key.Disabled:
		return "it was sealed with key " + id + ", which is disabled in the keyset"
	}
	return "it says that it was sealed with key " + id
}

// KeyOf names the key that a value says it was sealed with; empty when it has no
// prefix of Tink's.
func (k *Keyset) KeyOf(sealed secret.Sealed) string {
	if len(sealed) < cryptofmt.TinkPrefixSize || sealed[0] != cryptofmt.TinkStartByte {
		return ""
	}
	return name(binary.BigEndian.Uint32(sealed[1:cryptofmt.TinkPrefixSize]))
}

package secret

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
)

// Ephemeral is a Sealer with a key of its own that is never stored: what it
// sealed cannot be opened after the process has ended. That suits a store in
// memory and no other.
type Ephemeral struct{ aead cipher.AEAD }

var _ Sealer = (*Ephemeral)(nil)

// NewEphemeral makes a Sealer with a random AES-256-GCM key. One key is good
// for 2^32 values.
func NewEphemeral() *Ephemeral {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("secret: 32 bytes are an AES key: %v", err))
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(fmt.Sprintf("secret: AES has GCM: %v", err))
	}
	return &Ephemeral{aead}
}

// Seal encrypts s for its place.
func (e *Ephemeral) Seal(_ context.Context, s Secret, place string) (Sealed, error) {
	return e.aead.Seal(nil, nil, []byte(s.Reveal()), []byte(place)), nil
}

// Open decrypts what Seal made for the same place. Everything else is
// ErrNotAuthentic.
func (e *Ephemeral) Open(_ context.Context, sealed Sealed, place string) (Secret, error) {
	value, err := e.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return Secret{}, fmt.Errorf("open %q: %w", place, ErrNotAuthentic)
	}
	return New(string(value)), nil
}

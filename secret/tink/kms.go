package tink

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

// KMS seals keysets with a key that never leaves it. Every tink.AEAD is one, such
// as those of Tink's integrations with the services of AWS, Google Cloud and Vault.
type KMS interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// OpenSealed reads a keyset that SaveSealed wrote for the same place. The KMS is
// asked once; its errors are passed on.
func OpenSealed(file string, kms KMS, place string) (*Keyset, error) {
	k, err := openSealed(file, kms, place)
	if err != nil {
		return nil, fmt.Errorf("sealed keyset file %s: %w", file, err)
	}
	return k, nil
}

func openSealed(file string, kms KMS, place string) (*Keyset, error) {
	data, _, err := read(file)
	if err != nil {
		return nil, err
	}
	if _, err := keyset.NewJSONReader(bytes.NewReader(data)).ReadEncrypted(); err != nil ||
		!bytes.Contains(data, []byte(`"encryptedKeyset"`)) {
		return nil, errors.New("it is damaged, or no encrypted Tink keyset in JSON")
	}
	handle, err := keyset.ReadWithAssociatedData(keyset.NewJSONReader(bytes.NewReader(data)), kms, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("the KMS does not open it for place %q: %w", place, err)
	}
	return newKeyset(handle)
}

// SaveSealed writes the keyset to a file as the KMS sealed it, bound to a place,
// such as the name of the installation: another one's file does not open there.
// What Save refuses it refuses too.
func (k *Keyset) SaveSealed(file string, kms KMS, place string) error {
	var out bytes.Buffer
	err := k.handle.WriteWithAssociatedData(keyset.NewJSONWriter(&out), kms, []byte(place))
	if err == nil {
		err = k.save(file, out.Bytes(), func(file string) (*Keyset, error) { return openSealed(file, kms, place) })
	}
	if err != nil {
		return fmt.Errorf("save sealed keyset file %s: %w", file, err)
	}
	return nil
}

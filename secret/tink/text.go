package tink

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/seed-797f2c2c/forge/secret"
)

// FromEnv reads a keyset from an environment variable: what Text returns, as it
// is or in base64. Whoever can read the environment of a process has the keys.
func FromEnv(name string) (*Keyset, error) {
	k, err := fromText(os.Getenv(name))
	if err != nil {
		return nil, fmt.Errorf("keyset in environment variable %s: %w", name, err)
	}
	return k, nil
}

func fromText(text string) (*Keyset, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("it is empty")
	}
	if strings.HasPrefix(text, "{") {
		return parse([]byte(text))
	}
	data, err := base64.StdEncoding.DecodeString(text) // which passes over the ends of lines
	if err != nil {
		return nil, errors.New("it is neither JSON nor base64")
	}
	return parse(data)
}

// Text returns the keyset in the clear, as JSON in one line, to be kept where
// secrets are.
func (k *Keyset) Text() secret.Secret { return secret.New(string(k.cleartext())) }

func (k *Keyset) cleartext() []byte {
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&out)); err != nil {
		panic(fmt.Sprintf("tink: a keyset can be written to memory: %v", err))
	}
	return out.Bytes()
}

// parse reads a keyset in the clear. Its errors never quote what was read.
func parse(data []byte) (*Keyset, error) {
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	switch {
	case err == nil:
		return newKeyset(handle)
	case bytes.Contains(data, []byte(`"encryptedKeyset"`)):
		return nil, errors.New("it is sealed by a KMS: use OpenSealed")
	}
	return nil, errors.New("it is damaged, or no cleartext Tink keyset in JSON")
}

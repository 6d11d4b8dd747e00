// Package secret has the types that keep secrets out of logs, errors and
// stores.
package secret

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

const mask = "[secret]"

// Secret is a value that does not print itself. The zero value is empty. Two
// secrets are compared by what Reveal returns, not by ==.
type Secret struct {
	// A pointer, as fmt calls no method on what is in an unexported field and
	// would print the value there.
	value *string
}

// New makes a Secret of a value.
func New(value string) Secret { return Secret{&value} }

// Reveal returns the value itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String hides the value.
func (Secret) String() string { return mask }

// Format hides the value from every verb of fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// LogValue hides the value from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalJSON hides the value from encoding/json.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }

// MarshalText hides the value from encoders of text.
func (Secret) MarshalText() ([]byte, error) { return []byte(mask), nil }

// Sealed is a secret in the form in which a store keeps it.
type Sealed []byte

// ErrNotAuthentic says that a sealed value does not open: it was changed, moved
// to another place, or sealed with another key. Another try brings nothing.
var ErrNotAuthentic = errors.New("sealed value is not authentic: changed, moved, or sealed with another key")

// String hides the value, which is of use to nobody and may outlive its key.
func (Sealed) String() string { return mask }

// Format hides the value from every verb of fmt.
func (Sealed) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(mask)) }

// LogValue hides the value from slog.
func (Sealed) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalJSON hides the value from encoding/json. A store that keeps JSON
// converts the value to bytes.
func (Sealed) MarshalJSON() ([]byte, error) { return []byte(`"` + mask + `"`), nil }

// Sealer encrypts what a store keeps. The context of a sealed value, such as
// "servers/ID/control_key", is authenticated with it, so that it opens in its
// own place alone. Implementations are safe for concurrent use.
type Sealer interface {
	Seal(ctx context.Context, s Secret, place string) (Sealed, error)
	// Open returns an error that wraps ErrNotAuthentic when the value was not
	// sealed by this Sealer for this place.
	Open(ctx context.Context, sealed Sealed, place string) (Secret, error)
}

// Rotator is implemented by Sealers that open values with several keys and seal
// with one of them, so that keys can be replaced. What is sealed with another key
// than that one can be sealed anew, and a key that no value hangs on any more can
// be taken away.
type Rotator interface {
	Sealer
	// Keys names the keys that open values. The first one seals.
	Keys() []string
	// KeyOf names the key that a value was sealed with, whether or not it is one
	// of Keys, by the value alone; empty when the value does not say. What it says
	// is not authentic before the value was opened.
	KeyOf(sealed Sealed) string
}

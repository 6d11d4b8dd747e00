// Package authorizedkeys changes and reads the public keys that open the accounts
// of a server, and ends the sessions that were opened with them. Lines of others
// are left as they are, byte by byte, also while others write them; when a file
// cannot be read, nothing is changed.
package authorizedkeys

import (
	"errors"
	"regexp"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// Key is a public key of forge's.
type Key struct {
	ID   string // marks the line: lower-case letters, digits and dashes
	Line string // authorized_keys format; its comment is not used
}

// Unmanaged is the word in a line's comment by which its owner says that forge
// is to leave the key.
const Unmanaged = "forge:unmanaged"

var (
	idPattern          = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	userPattern        = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	fingerprintPattern = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)
)

// parse returns the kind and the base64 of a key.
func parse(text string) (string, error) {
	text = strings.TrimRight(text, "\r\n")
	if len(text) > validate.MaxPublicKey || strings.ContainsAny(text, "\r\n\x00") {
		return "", errors.New("authorized keys: a public key must be one line of at most 16 KiB")
	}
	line, ok := parseLine(text)
	switch {
	case !ok:
		return "", errors.New("authorized keys: not a public key")
	case line.Options != "":
		return "", errors.New("authorized keys: a key must be one line without options")
	case strings.Contains(line.Type, "-cert-v0"):
		return "", errors.New("authorized keys: a certificate is not a key")
	}
	return line.Type + " " + line.Base64, nil
}

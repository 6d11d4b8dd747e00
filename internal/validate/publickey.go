package validate

import (
	"bytes"
	"encoding/base64"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"
)

// MaxPublicKey is the longest line with a public key, in bytes.
const MaxPublicKey = 16 << 10

const (
	minRSA = 2048 // bits of the modulus
	maxRSA = 8192
)

// Key is a public key.
type Key struct {
	Type        string // as "ssh-ed25519"
	Line        string // type and base64, in authorized_keys format, without a comment
	Comment     string // printable, at most MaxName characters
	Fingerprint string // as "SHA256:..."
	Bits        int    // of an RSA modulus or of the curve
}

// keyBits has the kinds of keys that are taken. The size of RSA is the key's.
func keyBits(kind string) (size int, known bool) {
	switch kind {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoSKED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoSKECDSA256:
		return 256, true
	case ssh.KeyAlgoECDSA384:
		return 384, true
	case ssh.KeyAlgoECDSA521:
		return 521, true
	case ssh.KeyAlgoRSA:
		return 0, true
	}
	return 0, false
}

// PublicKey checks a public key as a user pastes it: one line of type, base64
// and perhaps a comment. An error never shows the value, which may be a
// private key.
func PublicKey(field, value string) (Key, error) {
	refuse := func(rule string, args ...any) (Key, error) { return Key{}, hidden(field, rule, args...) }
	line := strings.TrimSpace(value)
	switch {
	case len(value) > MaxPublicKey:
		return refuse("must have at most %d bytes", MaxPublicKey)
	case line == "":
		return refuse(required)
	case isPrivateKey(line):
		return refuse("must be the public key, and this is the private one: " +
			"treat it as disclosed, make a new pair and give the line in its .pub file")
	case strings.ContainsAny(line, "\r\n\x00"):
		return refuse("must be one line")
	}
	kind, rest, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	size, known := keyBits(kind)
	switch {
	case strings.Contains(kind, "-cert-v0"):
		return refuse("must be a key, not a certificate")
	case kind == "ssh-dss":
		return refuse("must not be a DSA key, which is too weak")
	case !known && namesKey(rest):
		return refuse("must begin with the type of the key, without options")
	case !known:
		return refuse("must be an ed25519, ecdsa, rsa, sk-ssh-ed25519 or sk-ecdsa key in the format of a .pub file")
	}
	encoded, comment, _ := strings.Cut(strings.TrimSpace(rest), " ")
	blob, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return refuse("must be a key in base64 after its type")
	}
	if kind == ssh.KeyAlgoRSA {
		// Before anything is computed with it: that takes minutes for a huge one.
		if size = rsaBits(blob); size < minRSA || size > maxRSA {
			return refuse("must have between %d and %d bits as an RSA key", minRSA, maxRSA)
		}
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil || key.Type() != kind || !bytes.Equal(key.Marshal(), blob) {
		return refuse("must be a complete key of the type at its beginning")
	}
	return Key{
		Type:        kind,
		Line:        kind + " " + encoded,
		Comment:     keyComment(comment),
		Fingerprint: ssh.FingerprintSHA256(key),
		Bits:        size,
	}, nil
}

// isPrivateKey knows the formats of OpenSSH, PEM and PuTTY, whole or in part.
func isPrivateKey(text string) bool {
	return strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "PuTTY-User-Key-File") ||
		strings.HasPrefix(text, "b3BlbnNzaC1rZXktdjE") // "openssh-key-v1"
}

// namesKey reports whether a type of key is among the words.
func namesKey(text string) bool {
	return slices.ContainsFunc(strings.Fields(text), func(word string) bool {
		_, known := keyBits(word)
		return known
	})
}

// rsaBits reads the size of the modulus of an RSA key from its wire format, or
// returns 0.
func rsaBits(blob []byte) int {
	var w struct {
		Kind string
		E, N []byte
	}
	if ssh.Unmarshal(blob, &w) != nil {
		return 0
	}
	n := bytes.TrimLeft(w.N, "\x00")
	if len(n) == 0 {
		return 0
	}
	return len(n)*8 - bits.LeadingZeros8(n[0])
}

// keyComment makes a comment that can be shown.
func keyComment(text string) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unprintable(r) {
			return -1
		}
		return r
	}, text))
	if utf8.RuneCountInString(text) > MaxName {
		text = strings.TrimSpace(string([]rune(text)[:MaxName]))
	}
	return text
}

package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/seed-797f2c2c/forge/internal/lines"
)

// forms returns the set of what has to be found to find the secrets.
func forms(secrets []string) map[string]struct{} {
	set := map[string]struct{}{}
	add := func(form string) {
		// A line is cleaned before it is masked, so that is how it is found.
		if form = lines.Clean(form); len(form) >= MinLength {
			set[form] = struct{}{}
		}
	}
	for _, secret := range secrets {
		if len(secret) < MinLength {
			continue
		}
		for _, form := range encodings(secret) {
			add(form)
		}
		// Output is split at these, so a secret never stands in it whole.
		for _, line := range strings.FieldsFunc(secret, func(r rune) bool { return r == '\n' || r == '\r' }) {
			add(line)
			add(strings.TrimSpace(line))
			for _, form := range escapes(line) {
				add(form)
			}
		}
	}
	return set
}

// encodings returns how a secret looks where it was encoded as a whole.
func encodings(secret string) []string {
	out := escapes(secret)
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		out = append(out, e.EncodeToString([]byte(secret)), e.WithPadding(base64.NoPadding).EncodeToString([]byte(secret)))
		// Within something longer, as a password behind its user, it begins
		// at any bit of a group of three bytes.
		for shift := range 3 {
			out = append(out, shifted(e, secret, shift))
		}
	}
	return out
}

// shifted returns the characters of an encoding that depend on the secret
// alone when shift bytes stand before it in its group.
func shifted(e *base64.Encoding, secret string, shift int) string {
	encoded := e.EncodeToString(append(make([]byte, shift), secret...))
	first := (shift*8 + 5) / 6
	last := (shift + len(secret)) * 8 / 6
	return encoded[first:last]
}

// escapes returns how a secret looks where special characters were escaped.
func escapes(secret string) []string {
	query := url.QueryEscape(secret)
	out := []string{
		query,
		strings.ReplaceAll(query, "+", "%20"),
		url.PathEscape(secret),
		strings.ReplaceAll(secret, `'`, `'\''`), // bash -x
	}
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if enc.Encode(secret) != nil { // never for a string
			continue
		}
		text := b.String()
		text = text[1 : len(text)-len("\"\n")]
		out = append(out, text, strings.ReplaceAll(text, "/", `\/`)) // PHP
	}
	return out
}

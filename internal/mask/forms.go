package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seed-797f2c2c/forge/internal/lines"
)

// forms returns the set of what has to be found to find the secrets. None is longer
// than a line can be: a line has no more of it than its beginning.
func forms(secrets []string) map[string]struct{} {
	set := map[string]struct{}{}
	add := func(form string) {
		// A line is cleaned before it is masked, so that is how it is found.
		if form = lines.Clean(form); len(form) >= MinLength {
			set[form[:min(len(form), lines.MaxLine)]] = struct{}{}
		}
	}
	for _, secret := range secrets {
		if len(secret) < MinLength {
			continue
		}
		for _, form := range encodings(beginning(secret)) {
			add(form)
		}
		// Output is split at these, so a secret never stands in it whole.
		for _, line := range strings.FieldsFunc(secret, func(r rune) bool { return r == '\n' || r == '\r' }) {
			add(line)
			add(strings.TrimSpace(line))
			for _, form := range escapes(beginning(line)) {
				add(form)
			}
		}
	}
	return set
}

// beginning returns as much of a secret as can stand in a line: no form of text is
// shorter than the text.
func beginning(secret string) string {
	if len(secret) <= lines.MaxLine || !utf8.ValidString(secret) {
		return secret
	}
	end := lines.MaxLine
	for end < len(secret) && !utf8.RuneStart(secret[end]) {
		end++
	}
	return secret[:end]
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
	out := append(percents(secret),
		strings.ReplaceAll(secret, `'`, `'\''`),         // bash -x
		strings.ReplaceAll(secret, `'`, `'"'"'`),        // Python's shlex
		backslashed(secret, " !\"$&'()*,;<>?[\\]^`{|}"), // bash's printf %q
		backslashed(secret, "\"$\\`"),                   // bash's declare -p
	)
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if enc.Encode(secret) != nil { // never for a string
			continue
		}
		text := b.String()
		text = text[1 : len(text)-len("\"\n")]
		for _, text := range []string{text, ascii(text)} {
			out = append(out, text, strings.ReplaceAll(text, "/", `\/`)) // PHP
		}
	}
	return out
}

// percents returns how a secret looks in a URL. Who escapes differ in the
// characters besides letters and digits that they leave, and in their case.
func percents(secret string) (out []string) {
	for _, left := range []string{
		"-_.~",       // RFC 3986: PHP's rawurlencode, jq
		"-_.",        // PHP's urlencode
		"-_.~/",      // Python's quote
		"-_.!~*'()",  // JavaScript's encodeURIComponent
		"-_.~$&+=:@", // a part of a path
	} {
		for _, digits := range []string{"0123456789ABCDEF", "0123456789abcdef"} {
			var b strings.Builder
			for i := range len(secret) {
				c := secret[i]
				switch {
				case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(left, c) >= 0:
					b.WriteByte(c)
				default:
					b.Write([]byte{'%', digits[c>>4], digits[c&15]})
				}
			}
			out = append(out, b.String(), strings.ReplaceAll(b.String(), "%20", "+"))
		}
	}
	return out
}

// backslashed returns the secret with a backslash before each of some characters.
func backslashed(secret, special string) string {
	var b strings.Builder
	for i := range len(secret) {
		if strings.IndexByte(special, secret[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(secret[i])
	}
	return b.String()
}

// ascii returns JSON as those write it who escape all that is not ASCII.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

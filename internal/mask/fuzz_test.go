package mask_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seed-797f2c2c/forge/internal/lines"
	"github.com/seed-797f2c2c/forge/internal/mask"
)

// FuzzMask prints a secret in one of its forms in the middle of other text, in
// chunks of any size. No form of it is in what is stored.
func FuzzMask(f *testing.F) {
	f.Add("hunter2", uint16(0), uint16(0), uint8(1), uint8(0))
	f.Add("-----BEGIN KEY-----\nAAAA secondline\r\nthird\n", uint16(75), uint16(300), uint8(7), uint8(1))
	f.Add(nasty, uint16(65530), uint16(3), uint8(255), uint8(2))
	f.Add("7\x8b\x8b\x8b\x8b\x8b0", uint16(207), uint16(431), uint8(0x81), uint8(0x1c)) // in base64 as the dots are
	f.Add("Zm9yZ2U6aHVudGVyMg==", uint16(2), uint16(2), uint8(3), uint8(3))
	around := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(".", 99)))
	f.Fuzz(func(t *testing.T, secret string, before, after uint16, chunk, form uint8) {
		// What is put around it, or in its place, has nothing of it.
		replaced := mask.Placeholder + lines.CutMark
		if len(secret) < mask.MinLength || strings.ContainsAny(secret, ".[]") || strings.Contains(replaced, secret) {
			t.Skip()
		}
		head, tail := strings.Repeat(".", int(before)), strings.Repeat(".", int(after))
		out, want := spelled(secret, head, tail, form%6)
		s := lines.Splitter{Mask: mask.New(secret).Mask}
		var stored []string
		keep := func(l lines.Line) { stored = append(stored, strings.Split(l.Text, mask.Placeholder)...) }
		for rest := out; rest != ""; {
			n := min(int(chunk)+1, len(rest))
			s.Feed([]byte(rest[:n]), keep)
			rest = rest[n:]
		}
		s.Close(keep)
		for _, form := range want {
			form = lines.Clean(form)
			if len(form) < mask.MinLength || strings.Contains(around, form) {
				continue
			}
			for _, text := range stored {
				if strings.Contains(text, form) {
					t.Fatalf("%q is left at %d of %d bytes", form, strings.Index(text, form), len(text))
				}
			}
		}
	})
}

// spelled is an output with a secret in it, and what must not be left of it.
func spelled(secret, head, tail string, form uint8) (out string, forms []string) {
	switch form {
	case 1:
		encoded := url.QueryEscape(secret)
		return head + encoded + tail, []string{encoded}
	case 2:
		if !utf8.ValidString(secret) {
			return "", nil
		}
		encoded, err := json.Marshal(secret)
		if err != nil {
			panic(err) // never for a string
		}
		return head + string(encoded) + tail, []string{string(encoded[1 : len(encoded)-1])}
	case 3, 4:
		// Whole groups of three bytes of the secret, wherever it begins.
		out = base64.StdEncoding.EncodeToString([]byte(head + secret + tail))
		skip := (3 - len(head)%3) % 3
		if skip+6 > len(secret) {
			return "", nil
		}
		inner := secret[skip : skip+(len(secret)-skip)/3*3]
		encoded := base64.StdEncoding.EncodeToString([]byte(inner))
		if form == 3 {
			return out, []string{encoded}
		}
		for i := 0; i+7 <= len(encoded); i++ {
			forms = append(forms, encoded[i:i+7])
		}
		return wrap(out, 76), forms
	default:
		return head + secret + tail, strings.FieldsFunc(secret, func(r rune) bool { return r == '\n' || r == '\r' })
	}
}

// wrap breaks a text into lines of a width.
func wrap(text string, width int) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		n := min(width, len(rest))
		b.WriteString(rest[:n] + "\n")
		rest = rest[n:]
	}
	return b.String()
}

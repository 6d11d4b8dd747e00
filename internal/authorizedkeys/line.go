package authorizedkeys

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is a line with a key, as sshd reads it.
type Line struct {
	Number      int    // in its file, from 1
	Options     string // printable, at most 4 KiB
	Type        string // as "ssh-ed25519"
	Base64      string
	Fingerprint string // as "SHA256:..."
	Comment     string // printable, at most 255 bytes
	ID          string // of the key of forge's that the line is marked with
	Unmanaged   bool   // its comment has the word Unmanaged
}

const (
	maxOptions = 4 << 10
	maxComment = 255
	maxBase64  = 16 << 10
	blanks     = " \t"
)

var kindPattern = regexp.MustCompile(`^(webauthn-)?(sk-)?(ssh|ecdsa-sha2|rsa-sha2)-[a-z0-9@.-]{1,100}$`)

// parseLine reads a line without its end. Nothing is computed with the key, which
// may be a huge one.
func parseLine(text string) (Line, bool) {
	text, _, _ = strings.Cut(text, "\x00")
	text = strings.TrimLeft(strings.TrimSuffix(text, "\r"), blanks)
	if strings.HasPrefix(text, "#") {
		return Line{}, false
	}
	if line, ok := parseKey(text); ok {
		return line, true
	}
	end := optionsEnd(text)
	line, ok := parseKey(strings.TrimLeft(text[end:], blanks))
	line.Options = printable(text[:end], maxOptions)
	return line, ok
}

// optionsEnd is where the options at the beginning of a text end, whose quotes
// may hold blanks.
func optionsEnd(text string) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '"':
			i++
		case text[i] == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(blanks, text[i]) >= 0:
			return i
		}
	}
	return len(text)
}

// parseKey reads kind, base64 and comment.
func parseKey(text string) (Line, bool) {
	kind, rest := cutBlank(text)
	encoded, comment := cutBlank(rest)
	if !kindPattern.MatchString(kind) {
		return Line{}, false
	}
	// sshd skips these.
	encoded = strings.NewReplacer("\r", "", "\f", "", "\v", "").Replace(encoded)
	blob, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(encoded) > maxBase64 || !isOf(kind, blob) {
		return Line{}, false
	}
	sum := sha256.Sum256(blob)
	line := Line{
		Type:        kind,
		Base64:      encoded,
		Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]),
		Comment:     printable(comment, maxComment),
	}
	for word := range strings.FieldsFuncSeq(comment, func(r rune) bool { return r == ' ' || r == '\t' }) {
		id, ours := strings.CutPrefix(word, "forge:")
		switch {
		case word == Unmanaged:
			line.Unmanaged = true
		case ours && line.ID == "" && idPattern.MatchString(id):
			line.ID = id
		}
	}
	return line, true
}

// isOf reports whether a key in wire format says that it is of that kind.
func isOf(kind string, blob []byte) bool {
	if strings.HasPrefix(kind, "rsa-sha2-") {
		kind = "ssh-rsa" // names of its signatures, which sshd takes too
	}
	return len(blob) > 4+len(kind) && binary.BigEndian.Uint32(blob) == uint32(len(kind)) && string(blob[4:4+len(kind)]) == kind //nolint:gosec // kinds are short
}

func cutBlank(text string) (word, rest string) {
	end := strings.IndexAny(text, blanks)
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimLeft(text[end:], blanks)
}

// printable makes a text of at most so many bytes that can be shown.
func printable(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text[:min(len(text), most)], ""))
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

package mask

import (
	"encoding/base64"
	"strings"
)

// Programs that write base64 wrap it, at any column of a secret. A line of
// nothing else may so begin with the end of a secret, end with the beginning of
// one, or be from the middle of one.

// wrapMiddle is the length in bytes from which a line is looked for in the middle
// of a secret: those of a wrapped text are longer, and words are not.
const wrapMiddle = 16

// wraps finds base64 that goes over several lines.
type wraps struct {
	starts, ends map[uint32][]string // the needles by their first and last four bytes
	longest      int
}

func newWraps(secrets []string) wraps {
	w := wraps{starts: map[uint32][]string{}, ends: map[uint32][]string{}}
	seen := map[string]bool{}
	for _, secret := range secrets {
		if len(secret) < MinLength {
			continue
		}
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			for shift := range 3 {
				needle := shifted(e, secret, shift)
				if seen[needle] {
					continue
				}
				seen[needle] = true
				start, end := head(needle), head(needle[len(needle)-MinLength:])
				w.starts[start] = append(w.starts[start], needle)
				w.ends[end] = append(w.ends[end], needle)
				w.longest = max(w.longest, len(needle))
			}
		}
	}
	return w
}

// find returns which of a line is not a part of wrapped secrets: line[from:to].
func (w *wraps) find(line string) (from, to int) {
	text := strings.TrimSpace(line)
	if len(text) < MinLength || !isBase64(text) {
		return 0, len(line)
	}
	begin := strings.Index(line, text)
	end := begin + len(text)
	if w.within(text) {
		return end, end
	}
	for n := min(len(text), w.longest-1); n >= MinLength && from == 0; n-- {
		for _, needle := range w.ends[head(text[n-MinLength:])] {
			if len(needle) > n && strings.HasSuffix(needle, text[:n]) {
				from = begin + n
				break
			}
		}
	}
	to = len(line)
	for n := min(len(text), w.longest-1); n >= MinLength && to == len(line); n-- {
		for _, needle := range w.starts[head(text[len(text)-n:])] {
			if len(needle) > n && strings.HasPrefix(needle, text[len(text)-n:]) {
				to = end - n
				break
			}
		}
	}
	return from, max(from, to)
}

// within reports whether a text is from the middle of a secret.
func (w *wraps) within(text string) bool {
	if len(text) < wrapMiddle || len(text) >= w.longest {
		return false
	}
	for _, same := range w.starts {
		for _, needle := range same {
			if len(needle) > len(text) && strings.Contains(needle, text) {
				return true
			}
		}
	}
	return false
}

func isBase64(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '+', c == '/', c == '-', c == '_', c == '=':
		default:
			return false
		}
	}
	return true
}

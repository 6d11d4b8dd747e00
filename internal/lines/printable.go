package lines

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// color matches a sequence that sets colours, weight, slant, underline or
// reverse. Others, such as the one that conceals text, are not harmless.
var color = regexp.MustCompile(`^\x1b\[(?:` + colorParam + `(?:;` + colorParam + `)*)?m`)

const colorParam = `(?:0?[0-4]|7|2[2-4]|27|[349][0-7]|10[0-7]|[34]9` +
	`|[34]8;5;[0-9]{1,3}|[34]8;2;[0-9]{1,3};[0-9]{1,3};[0-9]{1,3})`

const colorReset = "\x1b[0m"

// Printable makes a line safe to print to a terminal. Colours stay, and end
// with the line. Every other escape, control or invisible character is shown
// as text: ESC as ^[, U+202E as <U+202E>.
func Printable(text string) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, risky) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/4)
	colored := false
	for len(text) > 0 {
		if text[0] == '\x1b' {
			if seq := color.FindString(text); seq != "" {
				b.WriteString(seq)
				colored = seq != colorReset && seq != "\x1b[m"
				text = text[len(seq):]
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case !risky(r):
			b.WriteRune(r) // U+FFFD for a byte that is not UTF-8
		case r < 0x20 || r == 0x7f:
			b.WriteByte('^')
			b.WriteByte(byte(r) ^ 0x40)
		default:
			fmt.Fprintf(&b, "<U+%04X>", r)
		}
		text = text[size:]
	}
	if colored {
		b.WriteString(colorReset)
	}
	return b.String()
}

// risky reports whether a character could change more than its own cell.
// Format characters are among them for those that reverse the text; the zero
// width joiner is left to emoji and to the scripts that need it.
func risky(r rune) bool {
	switch {
	case r == '\t':
		return false
	case r >= ' ' && r < 0x7f:
		return false
	case r == '\u200c' || r == '\u200d':
		return false
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

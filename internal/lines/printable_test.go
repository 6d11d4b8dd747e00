package lines_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/lines"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	tests := map[string][2]string{
		"plain":            {"a\tb ä € 😀", "a\tb ä € 😀"},
		"colour":           {"\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"},
		"short reset":      {"\x1b[31mred\x1b[m", "\x1b[31mred\x1b[m"},
		"256 colours":      {"\x1b[38;5;208mx\x1b[0m", "\x1b[38;5;208mx\x1b[0m"},
		"24 bits":          {"\x1b[48;2;1;2;3mx\x1b[0m", "\x1b[48;2;1;2;3mx\x1b[0m"},
		"left open":        {"\x1b[32mgreen", "\x1b[32mgreen\x1b[0m"},
		"concealed":        {"\x1b[8mhidden", "^[[8mhidden"},
		"blinking":         {"\x1b[5mx", "^[[5mx"},
		"title":            {"\x1b]0;owned\a", "^[]0;owned^G"},
		"clear":            {"\x1b[2J\x1b[H", "^[[2J^[[H"},
		"report":           {"\x1b[6n", "^[[6n"},
		"cut off":          {"\x1b[31", "^[[31"},
		"lone escape":      {"\x1b", "^["},
		"controls":         {"a\bb\rc\x7f\x00", "a^Hb^Mc^?^@"},
		"eight bit CSI":    {"\u009b2J", "<U+009B>2J"},
		"reversed":         {"a\u202eb", "a<U+202E>b"},
		"line separator":   {"a\u2028b", "a<U+2028>b"},
		"not UTF-8":        {"a\x9bb", "a\uFFFDb"},
		"joined emoji":     {"👩\u200d💻", "👩\u200d💻"},
		"zero width space": {"a\u200bb", "a<U+200B>b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt[1], lines.Printable(tt[0]))
		})
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[31mred\x1b[0m")
	f.Add("\x1b]0;t\a\u009b\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := lines.Printable(text)
		require.True(t, utf8.ValidString(got))
		for i, r := range got {
			if r == '\x1b' {
				end := strings.IndexByte(got[i:], 'm')
				require.Positive(t, end)
				require.Empty(t, strings.Trim(got[i+2:i+end], "0123456789;"), "in %q", got)
				continue
			}
			require.False(t, unicode.IsControl(r) && r != '\t', "in %q", got)
		}
	})
}

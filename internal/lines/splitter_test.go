package lines_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/lines"
)

// split feeds the chunks and returns what comes out.
func split(s *lines.Splitter, chunks ...string) []lines.Line {
	var got []lines.Line
	emit := func(l lines.Line) { got = append(got, l) }
	for _, c := range chunks {
		s.Feed([]byte(c), emit)
	}
	s.Close(emit)
	return got
}

func texts(ls []lines.Line) []string {
	out := make([]string, len(ls))
	for i, l := range ls {
		out[i] = l.Text
	}
	return out
}

func TestSplitter(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", lines.MaxLine)
	tests := map[string]struct {
		in   string
		want []string
		ends []int64
	}{
		"nothing":             {"", nil, nil},
		"one":                 {"a\n", []string{"a"}, []int64{2}},
		"unfinished":          {"a\nbc", []string{"a", "bc"}, []int64{2, 4}},
		"empty lines":         {"\n\na\n", []string{"", "", "a"}, []int64{1, 2, 4}},
		"crlf":                {"a\r\nb\r\r\n", []string{"a", "b"}, []int64{3, 7}},
		"progress":            {"1%\r50%\r100%\ndone\n", []string{"100%", "done"}, []int64{12, 17}},
		"progress at the end": {"1%\r50%\r", []string{"50%"}, []int64{7}},
		"lone cr":             {"\r", []string{""}, []int64{1}},
		"nul":                 {"a\x00b\n", []string{"a\uFFFDb"}, []int64{4}},
		"not UTF-8":           {"a\xff\xfeb\n", []string{"a\uFFFDb"}, []int64{5}},
		"cut character":       {"a\xe2\x82", []string{"a\uFFFD"}, []int64{3}},
		"UTF-8":               {"ä€😀\n", []string{"ä€😀"}, []int64{10}},
		"escapes stay":        {"\x1b[31mred\x1b[0m\tx\a\n", []string{"\x1b[31mred\x1b[0m\tx\a"}, []int64{16}},
		"longest":             {long + "\n", []string{long}, []int64{lines.MaxLine + 1}},
		"too long": {long + "yyy\nz\n", []string{long + lines.CutMark, "z"},
			[]int64{lines.MaxLine + 4, lines.MaxLine + 6}},
		"too long and unfinished":   {long + "y", []string{long + lines.CutMark}, []int64{lines.MaxLine + 1}},
		"cut inside of a character": {long[1:] + "€\n", []string{long[1:] + lines.CutMark}, []int64{lines.MaxLine + 3}},
		"long progress":             {long + "y\rshort\n", []string{"short"}, []int64{lines.MaxLine + 8}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 2, 3, 1000, 1 << 20} {
				var chunks []string
				for rest := tt.in; rest != ""; {
					n := min(size, len(rest))
					chunks, rest = append(chunks, rest[:n]), rest[n:]
				}
				var s lines.Splitter
				got := split(&s, chunks...)
				require.Equal(t, len(tt.want), len(got), "chunks of %d", size)
				for i, l := range got {
					require.True(t, tt.want[i] == l.Text, "chunks of %d: line %d is %.40q", size, i, l.Text)
					require.Equal(t, tt.ends[i], l.End)
				}
				require.EqualValues(t, len(tt.in), s.Offset)
			}
		})
	}
}

func TestSplitterGivesNothingUnfinished(t *testing.T) {
	t.Parallel()
	var s lines.Splitter
	var got []lines.Line
	emit := func(l lines.Line) { got = append(got, l) }
	s.Feed([]byte("one\ntw"), emit)
	require.Equal(t, []string{"one"}, texts(got))
	s.Feed([]byte("o\n"), emit)
	require.Equal(t, []string{"one", "two"}, texts(got))
	s.Close(emit)
	require.Len(t, got, 2)
}

// Output that never ends its line, or only returns the carriage, must not be
// collected.
func TestSplitterIsBounded(t *testing.T) { // counts allocations, so not in parallel
	for _, unit := range []string{"x", "\r", "x\r", "\xff", "\x00", "é\xff"} {
		chunk := []byte(strings.Repeat(unit, 1<<16))
		var s lines.Splitter
		var got []lines.Line
		emit := func(l lines.Line) { got = append(got, l) }
		allocs := testing.AllocsPerRun(100, func() { s.Feed(chunk, emit) })
		require.LessOrEqual(t, allocs, 1.0)
		s.Close(emit)
		require.Len(t, got, 1)
		require.LessOrEqual(t, len(got[0].Text), lines.MaxLine+len(lines.CutMark))
		require.True(t, utf8.ValidString(got[0].Text))
	}
}

func TestSplitterMasks(t *testing.T) {
	t.Parallel()
	var cuts []bool
	s := lines.Splitter{Mask: func(text string, cut bool) string {
		cuts = append(cuts, cut)
		return strings.ToUpper(text[:1])
	}}
	got := split(&s, "abc\n"+strings.Repeat("x", lines.MaxLine+1)+"\nd")
	require.Equal(t, []string{"A", "X" + lines.CutMark, "D"}, texts(got))
	require.Equal(t, []bool{false, true, false}, cuts)
}

// hostile generates output from pieces that matter to the splitter.
func hostile() *rapid.Generator[string] {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"\n", "\r", "\r\n", "\x00", "\xff", "\xe2\x82", "€", "\x1b[31m", "word"}),
		rapid.StringN(0, 20, -1),
		rapid.Just(strings.Repeat("0123456789abcdef", lines.MaxLine/16-1)),
	)
	return rapid.Map(rapid.SliceOfN(piece, 0, 30), func(p []string) string { return strings.Join(p, "") })
}

// Neither the chunks nor a new start at any line's end change the lines.
func TestSplitterProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := hostile().Draw(t, "in")
		var whole lines.Splitter
		want := split(&whole, in)
		for _, l := range want {
			require.True(t, utf8.ValidString(l.Text))
			require.NotContains(t, l.Text, "\x00")
			require.NotContains(t, l.Text, "\n")
			require.LessOrEqual(t, len(l.Text), lines.MaxLine+len(lines.CutMark))
		}
		if len(want) > 0 {
			require.EqualValues(t, len(in), want[len(want)-1].End)
		}

		var chunks []string
		for rest := in; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		var chunked lines.Splitter
		require.True(t, equal(want, split(&chunked, chunks...)))

		if len(want) > 0 {
			i := rapid.IntRange(0, len(want)-1).Draw(t, "resume")
			resumed := lines.Splitter{Offset: want[i].End}
			require.True(t, equal(want[i+1:], split(&resumed, in[want[i].End:])))
		}
	})
}

func equal(a, b []lines.Line) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func BenchmarkSplitter(b *testing.B) {
	for name, line := range map[string]string{
		"ascii": strings.Repeat("a", 79) + "\n",
		"utf8":  strings.Repeat("é", 39) + "a\n",
		"crlf":  strings.Repeat("a", 78) + "\r\n",
	} {
		b.Run(name+"-1M-lines", func(b *testing.B) {
			const count = 1_000_000
			out := bytes.Repeat([]byte(line), count)
			b.SetBytes(int64(len(out)))
			b.ReportAllocs()
			for b.Loop() {
				var s lines.Splitter
				n := 0
				for rest := out; len(rest) > 0; {
					size := min(32<<10, len(rest))
					s.Feed(rest[:size], func(lines.Line) { n++ })
					rest = rest[size:]
				}
				if n != count {
					b.Fatal(n)
				}
			}
		})
	}
}

func ExampleSplitter() {
	var s lines.Splitter
	show := func(l lines.Line) { fmt.Println(l.End, l.Text) }
	s.Feed([]byte("Cloning into 'app'\n 10%\r"), show)
	s.Feed([]byte("100%\nunfinished"), show)
	s.Close(show)
	// Output:
	// 19 Cloning into 'app'
	// 29 100%
	// 39 unfinished
}

package mask_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/internal/lines"
	"github.com/seed-797f2c2c/forge/internal/mask"
)

const nasty = `p"a/s's w<o>r&d+\é`

func TestMask(t *testing.T) {
	t.Parallel()
	pem := "-----BEGIN KEY-----\nAAAAsecondline\r\nx\n-----END KEY-----\n"
	quoted := func(v any) string {
		b, err := json.Marshal(v)
		require.NoError(t, err)
		return string(b)
	}
	tests := map[string]struct {
		secrets  []string
		in, want string
	}{
		"none":           {nil, "text", "text"},
		"no hit":         {[]string{"hunter2"}, "text hunter1", "text hunter1"},
		"everywhere":     {[]string{"hunter2"}, "hunter2,hunter2 hunter2", "[secret],[secret] [secret]"},
		"longest first":  {[]string{"hunter", "hunter2000"}, "hunter2000 hunter2", "[secret] [secret]2"},
		"same beginning": {[]string{"hunterA", "hunterB"}, "hunterB hunterA hunterC", "[secret] [secret] hunterC"},
		"overlapping":    {[]string{"abcdef", "defghi"}, "abcdefghi.", "[secret]."},
		"quote at end":   {[]string{`pass"`}, `"pass\"",`, `"[secret]",`},
		"false start":    {[]string{"aaab"}, "aaaab", "a[secret]"},
		"too short":      {[]string{"abc"}, "abc", "abc"},
		"line by line 1": {[]string{pem}, "x -----BEGIN KEY-----", "x [secret]"},
		"line by line 2": {[]string{pem}, "  AAAAsecondline", "  [secret]"},
		"short line":     {[]string{pem}, "x", "x"},
		"base64":         {[]string{nasty}, base64.StdEncoding.EncodeToString([]byte(nasty)), "[secret]"},
		"base64, trimmed": {[]string{"first line\nsecond\n"},
			base64.StdEncoding.EncodeToString([]byte("xxfirst line\nsecond and more")), "eHh[secret]CBhbmQgbW9yZQ=="},
		"base64 URL":    {[]string{nasty}, base64.RawURLEncoding.EncodeToString([]byte(nasty)) + ".", "[secret]."},
		"query":         {[]string{nasty}, "?a=" + url.QueryEscape(nasty) + "&b", "?a=[secret]&b"},
		"path":          {[]string{nasty}, "/" + url.PathEscape(nasty) + "/", "/[secret]/"},
		"JSON":          {[]string{nasty}, quoted(map[string]string{"a": nasty}), `{"a":"[secret]"}`},
		"JSON of lines": {[]string{pem}, quoted(pem), `"[secret]"`},
		"JSON of PHP":   {[]string{"pass/word"}, `"pass\/word"`, `"[secret]"`},
		"bash -x":       {[]string{"it's me"}, `+ mysql '-pit'\''s me'`, `+ mysql '-p[secret]'`},
		"not UTF-8":     {[]string{"\xff\xfesecret\x00key"}, lines.Clean("a\xff\xfesecret\x00keyb"), "a[secret]b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, mask.New(tt.secrets...).Mask(tt.in, false))
		})
	}
}

// A password in an Authorization header stands behind the user's name.
func TestMaskBase64Inside(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse"
	m := mask.New(secret)
	for _, user := range []string{"", "a", "ab", "abc"} {
		for _, tail := range []string{"", "x", "xy", "xyz"} {
			got := m.Mask(base64.StdEncoding.EncodeToString([]byte(user+secret+tail)), false)
			require.Contains(t, got, mask.Placeholder, "%q %q", user, tail)
			plain, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(got, mask.Placeholder, ""), "="))
			require.NotContains(t, string(plain), "horse")
		}
	}
}

// No more is kept of a secret than a line can have of it, and that is masked.
func TestMaskLongerThanALine(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{strings.Repeat("Geheimé ", 1<<17), strings.Repeat("x", lines.MaxLine-1) + "é"} {
		m := mask.New(secret)
		for name, form := range map[string]string{
			"as it is": secret, "base64": base64.StdEncoding.EncodeToString([]byte("ab" + secret))[3:],
			"URL": url.QueryEscape(secret),
		} {
			for _, before := range []string{"", "...."} {
				s := lines.Splitter{Mask: m.Mask}
				s.Feed([]byte(before+form+"\n"), func(l lines.Line) {
					left := strings.TrimSuffix(strings.ReplaceAll(l.Text, mask.Placeholder, ""), lines.CutMark)
					require.Equal(t, before, left, name)
				})
			}
		}
	}
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mask.New(strings.Repeat("x", 1<<20))
		}
	}).AllocedBytesPerOp()
	require.Less(t, allocated, int64(64<<20))
}

// base64 wraps its output, at whatever column the secret stands.
func TestMaskBase64Wrapped(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"correct-horse", strings.Repeat("Battery staple, ", 20)} {
		m := mask.New(secret)
		encoded := base64.StdEncoding.EncodeToString([]byte(secret))
		for column := range 100 {
			text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(".", column) + secret + strings.Repeat(".", 150)))
			for _, width := range []int{64, 76} {
				left := ""
				for rest := text; rest != ""; {
					n := min(width, len(rest))
					left += strings.ReplaceAll(m.Mask(rest[:n], false), mask.Placeholder, "\n") + "\n"
					rest = rest[n:]
				}
				for i := range len(encoded) - 7 {
					if strings.Contains(left, encoded[i:i+7]) {
						t.Fatalf("column %d, width %d: %s is left of %s", column, width, left, text)
					}
				}
				require.Contains(t, left, "Li4uLi4u", "other text stays")
			}
		}
		require.Equal(t, "0123456789abcdef0123456789abcdef", m.Mask("0123456789abcdef0123456789abcdef", false))
	}
}

// Programs escape in ways of their own.
func TestMaskEscapes(t *testing.T) {
	t.Parallel()
	printable := rapid.StringOfN(rapid.RuneFrom(nil, &unicode.RangeTable{R16: []unicode.Range16{{Lo: ' ', Hi: '~', Stride: 1}}}), 4, 30, -1)
	// The ends of each tell whether all of it is masked.
	secrets := make([]string, 40)
	for i := range secrets {
		secrets[i] = "<" + printable.Example(i) + ">"
	}
	programs := map[string][]string{
		"printf %q":  {"bash", "-c", `for s; do printf '%q\n' "$s"; done`, "-"},
		"declare -p": {"bash", "-c", `for s; do declare -p s; done`, "-"},
		"${@Q}":      {"bash", "-c", `for s; do printf '%s\n' "${s@Q}"; done`, "-"},
	}
	if _, err := exec.LookPath("python3"); err == nil {
		python := func(expression string) []string {
			return []string{"python3", "-c", "import json, shlex, sys, urllib.parse as url\nfor s in sys.argv[1:]: print(" + expression + ")"}
		}
		programs["json"] = python("json.dumps(s)")
		programs["url"] = python("url.quote(s), url.quote_plus(s)")
		programs["shlex"] = python("shlex.quote(s)")
	}
	for name, program := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.CommandContext(t.Context(), program[0], append(program[1:], secrets...)...).Output()
			require.NoError(t, err)
			printed := strings.Split(strings.TrimSpace(string(out)), "\n")
			require.Len(t, printed, len(secrets))
			for i, secret := range secrets {
				got := mask.New(secret).Mask(printed[i], false)
				require.Contains(t, got, mask.Placeholder, "%s of %s", printed[i], secret)
				require.NotRegexp(t, `[<>]|%3[CcEe]`, got, "%s of %s", printed[i], secret)
			}
		})
	}
}

func TestMaskCut(t *testing.T) {
	t.Parallel()
	m := mask.New("hunter2", "terrible-secret")
	require.Equal(t, "a ", m.Mask("a hunter", true))
	require.Equal(t, "a ", m.Mask("a h", true))
	require.Equal(t, "a [secret]", m.Mask("a hunter2", true), "a whole one is masked")
	require.Equal(t, "a hun", m.Mask("a hunterri", true), "the longest beginning goes")
	require.Equal(t, "a ", mask.New("hunter", "hunter2000").Mask("a hunter20", true), "the longer one is cut")
	require.Equal(t, "a [secret]", mask.New("abcd", "cdefgh").Mask("a abcdef", true), "a cut one overlaps a whole one")
	require.Equal(t, "a hunter", m.Mask("a hunter", false))
	require.Empty(t, m.Mask("t", true))
}

func TestNoSecrets(t *testing.T) {
	t.Parallel()
	require.Nil(t, mask.New())
	require.Nil(t, mask.New("", "abc"))
	require.Equal(t, "x", mask.New().Mask("x", true))
}

// No part of a secret is ever seen, wherever it stands and however the output
// is chunked. The secrets are of characters that nothing else has.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secretLine := rapid.StringOfN(rapid.RuneFrom([]rune("ABCDEFé")), mask.MinLength, 40, -1)
		secret := rapid.Map(rapid.SliceOfN(secretLine, 1, 3), func(l []string) string { return strings.Join(l, "\n") })
		secrets := rapid.SliceOfN(secret, 1, 5).Draw(t, "secrets")
		piece := rapid.OneOf(
			rapid.SampledFrom(secrets),
			rapid.StringOf(rapid.RuneFrom([]rune("abc \n"))),
			rapid.SampledFrom([]string{strings.Repeat("long", 1<<14-3), strings.Repeat("x", 97), "\xff", "\x00", "\n"}),
		)
		out := strings.Join(rapid.SliceOfN(piece, 0, 20).Draw(t, "output"), "")

		s := lines.Splitter{Mask: mask.New(secrets...).Mask}
		check := func(l lines.Line) {
			text := strings.TrimSuffix(l.Text, lines.CutMark)
			require.False(t, strings.ContainsAny(text, "ABCDEFé"), "line of %d bytes ends with %q", len(l.Text), tail(text, 100))
		}
		for rest := out; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			s.Feed([]byte(rest[:n]), check)
			rest = rest[n:]
		}
		s.Close(check)
	})
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// Masking agrees with the obvious way to do it: mark what any secret covers.
func TestMaskAgreesWithMarking(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SliceOfN(rapid.StringMatching(`[ab]{4,8}`), 1, 3).Draw(t, "secrets")
		line := rapid.StringMatching(`[ab]{0,60}`).Draw(t, "line")
		seen := []byte(line)
		for _, secret := range secrets {
			for i := range line {
				if strings.HasPrefix(line[i:], secret) {
					for j := range secret {
						seen[i+j] = '.'
					}
				}
			}
		}
		got := strings.ReplaceAll(mask.New(secrets...).Mask(line, false), mask.Placeholder, ".")
		squeeze := regexp.MustCompile(`\.+`)
		require.Equal(t, squeeze.ReplaceAllString(string(seen), "."), squeeze.ReplaceAllString(got, "."))
	})
}

func BenchmarkMask(b *testing.B) {
	text := make([]string, 1000)
	for i := range text {
		text[i] = fmt.Sprintf("%06d  - Downloading laravel/framework (v12.%d.3) from cache, 74%% done: ok", i, i)[:74] + "....."
	}
	for _, secrets := range []int{0, 1, 20, 200} {
		values := make([]string, secrets)
		for i := range values {
			values[i] = fmt.Sprintf("%x-secret/%d", i*7919+1<<20, i)
		}
		m := mask.New(values...)
		b.Run(fmt.Sprintf("%d-secrets", secrets), func(b *testing.B) {
			b.SetBytes(int64(len(text) * len(text[0])))
			b.ReportAllocs()
			for b.Loop() {
				for _, line := range text {
					m.Mask(line, false)
				}
			}
		})
	}
}

func ExampleMasker_Mask() {
	m := mask.New("hunter2")
	fmt.Println(m.Mask("https://forge:hunter2@example.com", false))
	// Output: https://forge:[secret]@example.com
}

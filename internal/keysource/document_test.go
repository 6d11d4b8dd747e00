package keysource_test

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/keysource"
	"github.com/seed-797f2c2c/forge/internal/validate"
)

// line makes the key of a number, always the same.
func line(t testing.TB, number byte) string {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{number}, ed25519.SeedSize))
	key, err := ssh.NewPublicKey(private.Public())
	require.NoError(t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func TestParse(t *testing.T) {
	t.Parallel()
	one, two := line(t, 1), line(t, 2)
	long := strings.Repeat("x", validate.MaxPublicKey)
	for name, tt := range map[string]struct {
		document string
		comments []string // of the keys; nil for none
		refused  map[int]string
	}{
		"empty":              {"", nil, nil},
		"blank":              {"\n \n\r\n\t", nil, nil},
		"comments":           {"# keys of ann\n  # and no more\n" + one, []string{""}, nil},
		"as GitHub has it":   {one + "\n" + two + "\n", []string{"", ""}, nil},
		"as GitLab has it":   {one + " Ann (gitlab.com)\n" + two + " Ann (gitlab.com)", []string{"Ann (gitlab.com)", "Ann (gitlab.com)"}, nil},
		"CRLF":               {one + "\r\n\r\n" + two + " b\r\n", []string{"", "b"}, nil},
		"byte order mark":    {"\ufeff" + one + " a", []string{"a"}, nil},
		"mark and comment":   {"\ufeff# ann\n" + one + " a", []string{"a"}, nil},
		"twice":              {one + " a\n" + two + " b\n" + one + " c\n" + one, []string{"a", "b"}, nil},
		"Latin-1":            {one + " J\xf6rg", []string{"Jrg"}, nil},
		"options":            {"\n" + `command="id" ` + one + "\n" + two + " b", []string{"b"}, map[int]string{2: "without options"}},
		"certificate":        {"ssh-ed25519-cert-v01@openssh.com AAAA\n", nil, map[int]string{1: "not a certificate"}},
		"weak":               {"ssh-dss AAAA\nssh-rsa AAAA\n", nil, map[int]string{1: "DSA", 2: "between 2048 and 8192 bits"}},
		"private":            {"-----BEGIN OPENSSH PRIVATE KEY-----\n" + one, []string{""}, map[int]string{1: "the private one"}},
		"long":               {one + " " + long + "\n" + two, []string{""}, map[int]string{1: "at most 16384 bytes"}},
		"carriage return":    {one + "\r" + two, nil, map[int]string{1: "one line"}},
		"cut off":            {one[:50] + "\n" + two, []string{""}, map[int]string{1: "must be"}},
		"JSON":               {`[{"key":"` + one + `"}]`, nil, map[int]string{1: "must be"}},
		"a page in the line": {one + " a\n<html>", []string{"a"}, map[int]string{2: "must be"}},
	} {
		doc, err := keysource.Parse([]byte(tt.document))
		require.NoError(t, err, name)
		var comments []string
		for _, key := range doc.Keys {
			comments = append(comments, key.Comment)
		}
		require.Equal(t, tt.comments, comments, name)
		require.Len(t, doc.Refused, len(tt.refused), name)
		for _, refused := range doc.Refused {
			require.NotEmpty(t, tt.refused[refused.Line], "%s, line %d", name, refused.Line)
			require.Contains(t, refused.Rule, tt.refused[refused.Line], name)
		}
	}
}

func TestDocumentsThatAreRefused(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for number := range byte(keysource.MaxKeys) {
		many.WriteString(line(t, number) + "\n\n# more\n")
	}
	for document, rule := range map[string]string{
		strings.Repeat("\n", keysource.MaxDocument+1):   "at most 262144 bytes",
		strings.Repeat("x\n", keysource.MaxKeys+1):      "at most 100 keys",
		many.String() + line(t, keysource.MaxKeys):      "at most 100 keys",
		"\x1f\x8b\x08\x00\x00\x00":                      "must be text",
		"s\x00s\x00h\x00":                               "must be text",
		"\n<!DOCTYPE html>\n<html>":                     "web page",
		"\ufeff <?xml version=\"1.0\"?>":                "web page",
		line(t, 1) + "\n" + string(make([]byte, 1<<10)): "must be text",
	} {
		doc, err := keysource.Parse([]byte(document))
		var bad *validate.Error
		require.ErrorAs(t, err, &bad)
		require.Equal(t, "document", bad.Field)
		require.Contains(t, bad.Rule, rule)
		require.Empty(t, doc)
	}
	doc, err := keysource.Parse([]byte(many.String()))
	require.NoError(t, err)
	require.Len(t, doc.Keys, keysource.MaxKeys)
}

func FuzzParse(f *testing.F) {
	for _, document := range []string{
		"", "# a\n\n" + line(f, 1) + " ann@laptop\r\n" + line(f, 2), "\ufeff" + line(f, 1) + "\n" + line(f, 1) + " again", "ssh-rsa AAAA\n<html>",
		`from="10.0.0.1" ` + line(f, 3), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE\n", "\x00", "ssh-dss \xff\r\r\n#",
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		doc, err := keysource.Parse(document)
		if err != nil {
			require.Empty(t, doc)
			require.ErrorAs(t, err, new(*validate.Error))
			return
		}
		require.LessOrEqual(t, len(doc.Keys)+len(doc.Refused), keysource.MaxKeys)
		var written strings.Builder
		for _, key := range doc.Keys {
			written.WriteString(strings.TrimSpace(key.Line+" "+key.Comment) + "\n")
		}
		again, err := keysource.Parse([]byte(written.String()))
		require.NoError(t, err)
		require.Equal(t, keysource.Document{Keys: doc.Keys}, again, "what was taken is taken again, as it is")
		before := 0
		for _, refused := range doc.Refused {
			require.Greater(t, refused.Line, before)
			require.LessOrEqual(t, refused.Line, bytes.Count(document, []byte("\n"))+1)
			require.NotEmpty(t, refused.Rule)
			before = refused.Line
		}
	})
}

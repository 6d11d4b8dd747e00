package webhook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/webhook"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	flat := func(ref, after string) string { return fmt.Sprintf(`{"ref":%q,"after":%q}`, ref, after) }
	cloud := func(changes ...string) string {
		return `{"push":{"changes":[` + strings.Join(changes, ",") + `]}}`
	}
	state := func(kind, name, hash string) string {
		return fmt.Sprintf(`{"type":%q,"name":%q,"target":{"hash":%q}}`, kind, name, hash)
	}
	server := func(changes ...string) string { return `{"changes":[` + strings.Join(changes, ",") + `]}` }
	change := func(ref, hash, kind string) string {
		return fmt.Sprintf(`{"ref":{"id":%q},"toHash":%q,"type":%q}`, ref, hash, kind)
	}
	sha256 := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		system, body string
		want         webhook.Change
	}{
		"another branch":       {"github", flat("refs/heads/main2", head), webhook.Change{Ref: "refs/heads/main2", Commit: head}},
		"a tag":                {"github", flat("refs/tags/main", head), webhook.Change{Ref: "refs/tags/main", Commit: head}},
		"a branch with quotes": {"gitea", flat(`refs/heads/"$(id)'<b>`, head), webhook.Change{Ref: `refs/heads/"$(id)'<b>`, Commit: head}},
		"a deletion":           {"gitlab", flat(main, zeros), webhook.Change{Ref: main, Deleted: true}},
		"a deletion that says so": {"github", `{"deleted":true,"ref":"refs/heads/main","after":"` + head + `"}`,
			webhook.Change{Ref: main, Deleted: true}},
		"SHA-256 and capitals":   {"github", flat(main, strings.ToUpper(sha256)), webhook.Change{Ref: main, Commit: sha256}},
		"escapes":                {"github", `{"\u0072ef":"refs\/heads\/m\u0061in","a\u0066ter":"` + head + `"}`, webhook.Change{Ref: main, Commit: head}},
		"names in other letters": {"github", `{"REF":"x","ref":"refs/heads/main","After":1,"after":"` + head + `"}`, webhook.Change{Ref: main, Commit: head}},
		"nothing changed":        {"bitbucket cloud", cloud(), webhook.Change{}},
		"only other branches": {"bitbucket cloud", cloud(`{"new":`+state("branch", "a", head)+`}`, `{"new":`+state("branch", "b", before)+`}`),
			webhook.Change{Ref: "refs/heads/a", Commit: head}},
		"the branch twice": {"bitbucket cloud", cloud(`{"new":`+state("branch", "main", before)+`}`, `{"new":`+state("branch", "main", head)+`}`),
			webhook.Change{Ref: main, Commit: head}},
		"a branch's deletion": {"bitbucket cloud", cloud(`{"new":null,"old":` + state("branch", "main", head) + `,"closed":true}`),
			webhook.Change{Ref: main, Deleted: true}},
		"a tag with the branch's name": {"bitbucket cloud", cloud(`{"new":` + state("tag", "main", head) + `}`),
			webhook.Change{Ref: "refs/tags/main", Commit: head}},
		"nothing about nothing": {"bitbucket cloud", cloud(`{}`, `{"new":null,"old":null}`), webhook.Change{}},
		"none on a server":      {"bitbucket data center", server(), webhook.Change{}},
		"a deletion on a server": {"bitbucket data center", server(change("refs/tags/v1", head, "ADD"), change(main, zeros, "DELETE")),
			webhook.Change{Ref: main, Deleted: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := systems[c.system].read(c.body, main)
			require.NoError(t, err)
			require.Equal(t, c.want, b.Change)
		})
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	good := `{"ref":"refs/heads/main","after":"` + head + `"`
	for name, body := range map[string]string{
		"nothing":                 ``,
		"no object":               `[]`,
		"null":                    `null`,
		"form-encoded":            `payload=%7B%7D`,
		"no ref":                  `{"after":"` + head + `"}`,
		"no commit":               `{"ref":"refs/heads/main"}`,
		"a number":                `{"ref":5,"after":"` + head + `"}`,
		"a short commit":          `{"ref":"refs/heads/main","after":"59b20b8"}`,
		"no commit at all":        `{"ref":"refs/heads/main","after":"; rm -rf /; ; rm -rf /; ; rm -rf /; xx"}`,
		"a short ref":             `{"ref":"main","after":"` + head + `"}`,
		"a ref with a newline":    `{"ref":"refs/heads/ma\nin","after":"` + head + `"}`,
		"a ref with a NUL":        `{"ref":"refs/heads/ma\u0000in","after":"` + head + `"}`,
		"a ref that is no UTF-8":  "{\"ref\":\"refs/heads/ma\xffin\",\"after\":\"" + head + "\"}",
		"an endless ref":          `{"ref":"refs/heads/` + strings.Repeat("x", 5000) + `","after":"` + head + `"}`,
		"ref twice":               good + `,"ref":"refs/heads/evil"}`,
		"ref twice, one escaped":  good + `,"r\u0065f":"refs/heads/evil"}`,
		"after twice":             good + `,"after":"` + before + `"}`,
		"deleted is text":         good + `,"deleted":"true"}`,
		"two bodies":              good + `} {}`,
		"rubbish behind":          good + `}]`,
		"a comma too many":        good + `,}`,
		"no comma":                good + ` "x":1}`,
		"no colon":                good + `,"x" 1}`,
		"a name without quotes":   good + `,x:1}`,
		"a number that is none":   good + `,"x":01}`,
		"half a number":           good + `,"x":1.}`,
		"half an exponent":        good + `,"x":1e+}`,
		"a word that is none":     good + `,"x":nil}`,
		"a bare minus":            good + `,"x":-}`,
		"a newline in a string":   good + ",\"x\":\"a\nb\"}",
		"an unknown escape":       good + `,"x":"\x41"}`,
		"half an escape":          good + `,"x":"\u12"}`,
		"an open string":          good + `,"x":"`,
		"a bracket that is wrong": good + `,"x":[1}}`,
		"nested too deep":         good + `,"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
		"nested for ever":         good + `,"x":` + strings.Repeat(`{"a":[`, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := systems["github"].read(body, main)
			require.ErrorIs(t, err, webhook.ErrMalformed)
			require.Less(t, len(err.Error()), 200, "it shows nothing of the body")
		})
	}
	for name, body := range map[string]string{
		"no push":           `{}`,
		"no changes":        `{"push":{}}`,
		"changes twice":     `{"push":{"changes":[],"changes":[]}}`,
		"push twice":        `{"push":{"changes":[]},"push":{"changes":[]}}`,
		"no array":          `{"push":{"changes":{}}}`,
		"new twice":         `{"push":{"changes":[{"new":null,"new":null}]}}`,
		"name twice":        `{"push":{"changes":[{"new":{"type":"branch","name":"main","name":"x","target":{"hash":"` + head + `"}}}]}}`,
		"no name":           `{"push":{"changes":[{"new":{"type":"branch","target":{"hash":"` + head + `"}}}]}}`,
		"no target":         `{"push":{"changes":[{"new":{"type":"branch","name":"main"}}]}}`,
		"an element text":   `{"push":{"changes":["main"]}}`,
		"a hash that isn't": `{"push":{"changes":[{"new":{"type":"branch","name":"main","target":{"hash":"x"}}}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := systems["bitbucket cloud"].read(body, main)
			require.ErrorIs(t, err, webhook.ErrMalformed)
		})
	}
}

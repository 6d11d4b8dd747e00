package digitalocean

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/secret"
)

// TestLabelsAreTags has any labels come back as they were, from tags that have only
// the characters that the vendor allows, and that no capitals tell apart.
func TestLabelsAreTags(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Token: secret.New("token")})
	require.NoError(t, err)
	allowed := regexp.MustCompile(`^[a-z0-9:_-]{1,255}$`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Filter(func(s string) bool { return s != "" && s != "forge" && len(s) < 40 })
		labels := rapid.MapOfN(name, rapid.StringN(-1, -1, 40), 0, 5).Draw(t, "labels")
		id := rapid.StringMatching(`[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?`).Draw(t, "id")
		tags, err := p.labelTags(labels)
		require.NoError(t, err)
		tags = append(tags, "forge", p.idTag(id), "forge:key:x", "Somebody's")
		for _, tag := range tags[:len(tags)-1] {
			require.Regexp(t, allowed, tag)
		}
		require.Equal(t, labels, p.labels(tags))
		back, ours := p.marked(tags)
		require.True(t, ours)
		require.Equal(t, id, back)
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("env")
	f.Add("a_2eb")
	f.Add("_zz_2")
	f.Fuzz(func(t *testing.T, text string) {
		if plain, ok := decode(text); ok {
			require.Equal(t, text, encode(plain))
		}
		back, ok := decode(encode(text))
		require.True(t, ok)
		require.Equal(t, text, back)
	})
}

func TestMarked(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Token: secret.New("token")})
	require.NoError(t, err)
	for tags, ours := range map[string]bool{
		"forge forge:id:a":         true,
		"forge:id:a x forge":       true,
		"":                         false,
		"forge":                    false,
		"forge:id:a":               false,
		"forge forge:id":           false,
		"forge forge:id:A":         false,
		"forge-2 forge-2:id:a":     false,
		"forge forge-2:id:a":       false,
		"forge forge:id:_4":        false,
		"forge:id forge:key:a web": false,
	} {
		_, is := p.marked(strings.Fields(tags))
		require.Equal(t, ours, is, tags)
	}
}

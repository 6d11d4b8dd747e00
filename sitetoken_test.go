package forge_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
)

// sentinel is in every token of these tests.
const sentinel = "sentinel-4711"

func badTokens() map[string]refusal {
	cases := map[string]refusal{
		"token over ssh": badSite("repository_token", func(o *forge.SiteOpts) {
			o.Repository, o.RepositoryToken = "git@example.com:app.git", secret.New(sentinel)
		}),
		"token of nothing": badSite("repository_token", func(o *forge.SiteOpts) { o.RepositoryToken = secret.New(sentinel) }),
		"new token of nothing": {forge.ErrInvalid, "repository_token", func(ctx context.Context, f *furnished) error {
			return f.Sites.SetToken(ctx, f.bare.ID, secret.New(sentinel))
		}},
		"new token of a site that goes": {forge.ErrState, "", func(ctx context.Context, f *furnished) error {
			gone := f.site.Clone()
			gone.Status = forge.SiteDeleting
			f.put(func(tx forge.Tx) error { return tx.Sites().Update(gone) })
			err := f.Sites.SetToken(ctx, gone.ID, secret.New(sentinel))
			f.put(func(tx forge.Tx) error { return tx.Sites().Update(f.site) })
			return err
		}},
	}
	for _, bad := range []string{sentinel + "\n", sentinel + "\r\nhost=example.com", sentinel + "\x00", "\x1b" + sentinel, sentinel + "\xff",
		strings.Repeat(sentinel, 1000)} {
		cases["token "+bad] = badSite("repository_token", func(o *forge.SiteOpts) {
			o.Repository, o.RepositoryToken = "https://example.com/app.git", secret.New(bad)
		})
		cases["new token "+bad] = refusal{forge.ErrInvalid, "repository_token", func(ctx context.Context, f *furnished) error {
			err := f.Sites.SetToken(ctx, f.site.ID, secret.New(bad))
			require.NotContains(f.t, err.Error(), sentinel)
			return err
		}}
	}
	for _, user := range []string{"-u", "a b", "a:b", "a\nb", "$(id)", "@a", "ä", strings.Repeat("a", 256)} {
		cases["repository user "+user] = badSite("repository_user", func(o *forge.SiteOpts) { o.RepositoryUser = user })
	}
	return cases
}

func TestTokenIsSealedForItsPlace(t *testing.T) {
	t.Parallel()
	w := idle(t)
	srv := w.addServer("acme")
	opened := func(id string) string {
		site, err := w.Sites.Get(t.Context(), id)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprintf("%+v %#v", site, *site), sentinel)
		if len(site.RepositoryToken) == 0 {
			return ""
		}
		require.NotContains(t, string(site.RepositoryToken), sentinel)
		token, err := w.sealer.Open(t.Context(), site.RepositoryToken, "sites/"+id+"/repository_token")
		require.NoError(t, err)
		return token.Reveal()
	}
	opts := forge.SiteOpts{Domain: "example.com", Repository: "https://example.com/app.git",
		RepositoryUser: "gitlab+deploy-token-1", RepositoryToken: secret.New(sentinel), IdempotencyKey: "once"}
	site, _, err := w.Sites.Create(t.Context(), srv.ID, opts)
	require.NoError(t, err)
	require.Equal(t, sentinel, opened(site.ID))
	require.Equal(t, "gitlab+deploy-token-1", site.RepositoryUser)

	opts.RepositoryToken = secret.New("another")
	_, _, err = w.Sites.Create(t.Context(), srv.ID, opts)
	require.NoError(t, err)
	require.Equal(t, sentinel, opened(site.ID), "what was made then")

	require.NoError(t, w.Sites.SetToken(t.Context(), site.ID, secret.New("next "+sentinel)))
	require.Equal(t, "next "+sentinel, opened(site.ID))
	require.NoError(t, w.Sites.SetToken(t.Context(), site.ID, secret.Secret{}))
	require.Empty(t, opened(site.ID))
}

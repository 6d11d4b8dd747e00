package forge_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
)

// Whatever a field holds: a typed error and nothing written, or a record that
// the same rules let through again, unchanged.
func TestAnyInputIsRefusedOrStable(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9.@:/_ -]{0,20}`),
		rapid.SampledFrom([]string{"", "example.com", "Bücher.example", "web-1", "debian-12", "cloud", "main", "8.2", "php", "/public",
			"git@github.com:acme/shop.git", "https://example.com/a.git", "root", keyLine, "Europe/Berlin", "mariadb"}))
	words := rapid.SliceOfN(text, 0, 2)
	rapid.Check(t, func(rt *rapid.T) {
		before := f.contents()
		labels := map[string]string{}
		if rapid.Bool().Draw(rt, "labelled") {
			labels[text.Draw(rt, "label")] = text.Draw(rt, "value")
		}
		var again func() error
		var err error
		switch rapid.IntRange(0, 2).Draw(rt, "what") {
		case 0:
			var srv *forge.Server
			srv, _, err = f.Servers.Create(t.Context(), forge.ServerOpts{
				Name: text.Draw(rt, "name"), Provider: rapid.SampledFrom([]string{"cloud", "?"}).Draw(rt, "provider"),
				Region: text.Draw(rt, "region"), Size: text.Draw(rt, "size"), Image: text.Draw(rt, "image"), Labels: labels,
				User: text.Draw(rt, "user"), Port: rapid.IntRange(-1, 1<<17).Draw(rt, "port"),
				Stack: forge.Stack{PHP: words.Draw(rt, "php"), Database: forge.Database(text.Draw(rt, "database")), Timezone: text.Draw(rt, "zone")},
			})
			again = func() error {
				same, _, err := f.Servers.Create(t.Context(), forge.ServerOpts{Name: srv.Name, Provider: srv.Provider, Region: srv.Region,
					Size: srv.Size, Image: srv.Image, Labels: srv.Labels, User: srv.User, Port: srv.Port, Stack: srv.Stack})
				if err != nil {
					return err
				}
				require.Equal(rt, []any{srv.Name, srv.Region, srv.Size, srv.Image, srv.User, srv.Port, srv.Stack},
					[]any{same.Name, same.Region, same.Size, same.Image, same.User, same.Port, same.Stack})
				return nil
			}
		case 1:
			opts := forge.SiteOpts{Domain: text.Draw(rt, "domain"), Aliases: words.Draw(rt, "aliases"),
				Kind: forge.SiteKind(rapid.SampledFrom([]string{"", "php", "static", "?"}).Draw(rt, "kind")), Labels: labels,
				WebDirectory: text.Draw(rt, "web"), PHPVersion: text.Draw(rt, "php"), Repository: text.Draw(rt, "repository"),
				Branch: text.Draw(rt, "branch"), DeployScript: text.Draw(rt, "script"), KnownHosts: text.Draw(rt, "hosts"),
				RepositoryUser: text.Draw(rt, "user"), RepositoryToken: secret.New(rapid.SampledFrom([]string{"", "", "t", "a\nb"}).Draw(rt, "token"))}
			var site *forge.Site
			site, _, err = f.Sites.Create(t.Context(), f.server.ID, opts)
			again = func() error {
				same, _, err := f.Sites.Create(t.Context(), f.server.ID, forge.SiteOpts{Domain: "again." + site.Domain, Kind: site.Kind,
					WebDirectory: site.WebDirectory, PHPVersion: site.PHPVersion, Repository: site.Repository, Branch: site.Branch,
					DeployScript: site.DeployScript, KnownHosts: site.KnownHosts, RepositoryUser: site.RepositoryUser, Labels: site.Labels})
				if err != nil {
					return err
				}
				require.Equal(rt, []any{"again." + site.Domain, site.WebDirectory, site.PHPVersion, site.Repository, site.Branch},
					[]any{same.Domain, same.WebDirectory, same.PHPVersion, same.Repository, same.Branch})
				return nil
			}
		default:
			var key *forge.Key
			owner := text.Draw(rt, "owner")
			opts := forge.KeyOpts{Name: text.Draw(rt, "name"), Public: text.Draw(rt, "public"), Labels: labels}
			key, err = f.For(owner).Keys.Add(t.Context(), opts)
			again = func() error {
				if _, err := f.For(owner).Keys.Delete(t.Context(), key.ID); err != nil {
					return err
				}
				same, err := f.For(owner).Keys.Add(t.Context(), forge.KeyOpts{Name: key.Name, Public: key.Public + " " + key.Comment, Labels: key.Labels})
				if err != nil {
					return err
				}
				require.Equal(rt, []any{key.Name, key.Public, key.Comment, key.Fingerprint},
					[]any{same.Name, same.Public, same.Comment, same.Fingerprint})
				return nil
			}
		}
		if err == nil {
			require.NoError(rt, again())
			return
		}
		var typed *forge.Error
		require.ErrorAs(rt, err, &typed)
		require.Contains(rt, []error{forge.ErrInvalid, forge.ErrConflict}, typed.Class)
		require.NotEmpty(rt, typed.Field)
		require.NotEmpty(rt, typed.Rule)
		require.Equal(rt, before.LastEvent, f.contents().LastEvent)
		require.Equal(rt, before, f.contents())
	})
}

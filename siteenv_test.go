package forge_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
)

func env(name, value string) forge.EnvVar { return forge.EnvVar{Name: name, Value: secret.New(value)} }

func TestBadEnvironmentIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	const value = "correct-horse"
	many := make([]forge.EnvVar, 1001)
	for i := range many {
		many[i] = env(fmt.Sprint("A", i), value)
	}
	const mb = 1 << 20
	large := func(name string, size int) forge.EnvVar {
		return env(name, strings.Repeat(value, size/len(value)+1)[:size])
	}
	cases := map[string][]forge.EnvVar{
		"NUL":        {env("TOKEN", value+"\x00")},
		"UTF-8":      {env("TOKEN", value+"\xff")},
		"twice":      {env("TOKEN", value), env("OTHER", value), env("TOKEN", "")},
		"too large":  {large("TOKEN", mb+1)},
		"in all":     {large("A", mb), large("B", mb-1)},
		"too many":   many,
		"name":       {env(strings.Repeat("A", 256), value)},
		"forge's":    {env("FORGE_DOLLAR", value)},
		"name first": {env("A", value), env("", value)},
	}
	for _, name := range []string{"1A", "A-B", "A.B", "A B", "A=" + value, "A\n", "A\x00", "Ä", "$(id)", "export A"} {
		cases["name "+name] = []forge.EnvVar{env(name, value)}
	}
	for name, vars := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := furnish(t)
			before := f.contents()
			_, err := f.Sites.SetEnvironment(t.Context(), f.site.ID, vars)
			var typed *forge.Error
			require.ErrorAs(t, err, &typed)
			require.ErrorIs(t, err, forge.ErrInvalid)
			require.Equal(t, "environment", typed.Field)
			require.NotEmpty(t, typed.Rule)
			require.NotContains(t, err.Error(), value)
			if vars[0].Name == "TOKEN" {
				require.Contains(t, err.Error(), "TOKEN")
			}
			require.Equal(t, before, f.contents())
		})
	}
}

func TestEnvironmentNeedsASiteThatIsThere(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	vars := []forge.EnvVar{env("A", "1")}
	there := map[forge.SiteStatus]bool{forge.SiteAwaitingAccess: true, forge.SiteInstalled: true, forge.SiteDeployed: true}
	for i, status := range []forge.SiteStatus{
		forge.SitePending, forge.SiteInstalling, forge.SiteAwaitingAccess, forge.SiteInstalled, forge.SiteDeployed, forge.SiteFailed, forge.SiteDeleting,
	} {
		site := f.addSite(f.server, fmt.Sprintf("s%d.example.com", i), func(s *forge.Site) { s.Status = status })
		_, err := f.Sites.SetEnvironment(t.Context(), site.ID, vars)
		if there[status] {
			require.NoError(t, err, status)
		} else {
			require.ErrorIs(t, err, forge.ErrState, status)
		}
	}
	site := f.addSite(f.pending, "waits.example.com")
	_, err := f.Sites.SetEnvironment(t.Context(), site.ID, vars)
	require.ErrorIs(t, err, forge.ErrState)
}

// Until it is on the server, it is on its way alone; and nowhere can it be read.
func TestEnvironmentTravelsSealed(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	const value = "it's a correct horse"
	first, err := f.Sites.SetEnvironment(t.Context(), f.site.ID, []forge.EnvVar{env("A", value)})
	require.NoError(t, err)
	require.Equal(t, forge.KindSetEnvironment, first.Kind)
	onItsWay := first.Input.Sealed
	second, err := f.Sites.SetEnvironment(t.Context(), f.site.ID, nil)
	require.NoError(t, err)

	first, err = f.Actions.Get(t.Context(), first.ID)
	require.NoError(t, err)
	require.Equal(t, forge.ActionSuperseded, first.Status)
	require.Empty(t, first.Input.Sealed, "nobody needs it any more")
	require.Equal(t, forge.ActionPending, second.Status)
	vars, err := f.Sites.Environment(t.Context(), f.site.ID)
	require.NoError(t, err)
	require.Empty(t, vars)
	all, err := json.Marshal(f.contents())
	require.NoError(t, err)
	require.NotContains(t, string(all)+fmt.Sprintf("%+v", first), "correct horse")
	require.NotContains(t, string(onItsWay), "correct horse")

	// It opens for its own site alone.
	f.put(func(tx forge.Tx) error {
		f.site.Environment, f.bare.Environment = onItsWay, onItsWay
		if err := tx.Sites().Update(f.site); err != nil {
			return err
		}
		return tx.Sites().Update(f.bare)
	})
	vars, err = f.Sites.Environment(t.Context(), f.site.ID)
	require.NoError(t, err)
	require.Len(t, vars, 1)
	require.Equal(t, "A "+value, vars[0].Name+" "+vars[0].Value.Reveal())
	require.NotContains(t, fmt.Sprintf("%+v", vars), "horse")
	_, err = f.Sites.Environment(t.Context(), f.bare.ID)
	require.ErrorIs(t, err, secret.ErrNotAuthentic)
}

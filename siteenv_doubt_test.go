package forge_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// Variables whose write ended in doubt may be on the server: they are masked
// until another write is certain.
func TestEnvironmentInDoubtIsMasked(t *testing.T) {
	t.Parallel()
	const said = "value-one value-two plain-one value-three"
	var works atomic.Bool
	m := newPlayed(t, func(_ context.Context, e *sshtest.Exec) int {
		switch {
		case strings.Contains(e.Script, ".env.forge-new") && !works.Load():
			_, _ = io.WriteString(e.Stderr, said)
			return 1
		case strings.Contains(e.Script, "print it"):
			_, _ = io.WriteString(e.Stderr, said)
			return 3
		}
		return 0
	})
	defer m.start()()
	site := m.addSite(m.server, "example.com")
	set := func(vars ...forge.EnvVar) error {
		a, err := m.Sites.SetEnvironment(t.Context(), site.ID, vars)
		require.NoError(t, err)
		_, err = m.Actions.Wait(t.Context(), a.ID)
		require.Empty(t, m.get(a.ID).Input.Sealed, "nobody needs it any more")
		return err
	}
	prints := func() string {
		_, err := m.Servers.Run(t.Context(), m.server.ID, forge.RunOpts{User: site.User, Script: "print it"})
		var exit *sshexec.ExitError
		require.ErrorAs(t, err, &exit)
		return exit.Stderr
	}
	plain := env("B", "plain-one")
	plain.Plain = true
	require.ErrorContains(t, set(env("A", "value-one"), plain), "[secret] value-two plain-one value-three")
	require.Equal(t, "[secret] value-two plain-one value-three", prints())
	require.ErrorContains(t, set(env("A", "value-two")), "[secret] [secret] plain-one value-three")
	require.Equal(t, "[secret] [secret] plain-one value-three", prints())
	vars, err := m.Sites.Environment(t.Context(), site.ID)
	require.NoError(t, err)
	require.Empty(t, vars, "what is certain")

	works.Store(true)
	require.NoError(t, set(env("A", "value-three")))
	require.Equal(t, "value-one value-two plain-one [secret]", prints())
	got, err := m.Sites.Get(t.Context(), site.ID)
	require.NoError(t, err)
	require.Empty(t, got.EnvironmentNext)
}

package authorizedkeys_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/authorizedkeys"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestEdits(t *testing.T) {
	t.Parallel()
	key := newPair(t)
	cmd, err := authorizedkeys.Change{
		User:   "site",
		Add:    []authorizedkeys.Key{{ID: "k-1", Line: key.line + " $(id)\n"}},
		Remove: []string{key.line},
	}.Command()
	require.NoError(t, err)
	edits := cmd.Args[0]
	require.Equal(t, "user site root known\nremove "+key.line+"\nadd "+key.line+" forge:k-1\n", edits)
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	key := newPair(t)
	for _, user := range []string{"", "-x", "a b", "../x", "A"} {
		_, err := authorizedkeys.Change{User: user}.Command()
		require.Error(t, err, user)
	}
	for _, line := range []string{"", "x", key.private, `command="id" ` + key.line, key.line + "\n" + key.line, "ssh-ed25519 AAAA"} {
		_, err := authorizedkeys.Change{User: "a", Add: []authorizedkeys.Key{{ID: "a", Line: line}}}.Command()
		require.Error(t, err, line)
		_, err = authorizedkeys.Change{User: "a", Remove: []string{line}}.Command()
		require.Error(t, err, line)
	}
	_, err := authorizedkeys.Change{User: "a", Add: []authorizedkeys.Key{{ID: "a\nssh-rsa", Line: key.line}}}.Command()
	require.Error(t, err)
}

func TestExplain(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, authorizedkeys.Explain(&sshexec.ExitError{ExitCode: 81}), authorizedkeys.ErrNoUser)
	require.NotErrorIs(t, authorizedkeys.Explain(&sshexec.ExitError{ExitCode: 1}), authorizedkeys.ErrNoUser)
	other := errors.New("other")
	require.Equal(t, other, authorizedkeys.Explain(other))
}

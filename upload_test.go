package forge_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	m := newPlayed(t, nil)
	require.NoError(t, m.Servers.Upload(t.Context(), m.server.ID,
		sshexec.UploadSpec{Path: "/a", User: "root", Body: strings.NewReader("one")},
		sshexec.UploadSpec{Path: "/b", User: "root", Body: strings.NewReader("two"), Mode: 0o600},
	))
	for name, want := range map[string]string{"a": "one", "b": "two"} {
		got, err := os.ReadFile(filepath.Join(m.ssh.Dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	err := m.Servers.Upload(t.Context(), m.server.ID, sshexec.UploadSpec{Path: "a", User: "root"})
	require.ErrorIs(t, err, sshexec.ErrInvalid)
}

package pgtest

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Dump is what pg_dump writes of a whole database, as text.
func Dump(t testing.TB, url string) string {
	t.Helper()
	bin, err := programs()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "pg_dump"), "--dbname="+url)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	dump, err := cmd.Output()
	require.NoError(t, err, complaints.String())
	return string(dump)
}

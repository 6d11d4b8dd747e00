package sqlite

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

func TestDiskIsFull(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "forge.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	limit := func(pages string) {
		_, err := s.write.ExecContext(t.Context(), "PRAGMA max_page_count = "+pages)
		require.NoError(t, err)
	}
	insert := func() error {
		return s.Update(t.Context(), func(tx forge.Tx) error {
			_ = tx.Locks().Insert(&forge.Lock{Key: "a"})
			return tx.Servers().Insert(&forge.Server{ID: "a", PublicKey: strings.Repeat("x", 2<<20)})
		})
	}
	for range 2 {
		limit("400")
		require.ErrorIs(t, insert(), forge.ErrUnavailable)
	}
	limit("4000")
	require.NoError(t, insert(), "nothing is left of those before")
}

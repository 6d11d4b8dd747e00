package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/sqlite"
)

// TestOpenedAtOnce has several make a file, as processes do that are started
// together.
func TestOpenedAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		file := filepath.Join(t.TempDir(), "forge.db")
		var group errgroup.Group
		for range 6 {
			group.Go(func() error {
				s, err := sqlite.Open(t.Context(), file)
				if err != nil {
					return err
				}
				return s.Close()
			})
		}
		require.NoError(t, group.Wait())
	}
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no mode there")
	}
	file := filepath.Join(t.TempDir(), "forge.db")
	s := openFile(t, file)
	require.NoError(t, s.Update(t.Context(), func(tx forge.Tx) error { return tx.Locks().Insert(&forge.Lock{Key: "a"}) }))
	for _, end := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(file + end)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode(), end)
	}
}

// TestLogOfWritesIsBounded writes while there is always somebody who reads, so
// that SQLite finds no moment by itself to begin its log anew.
func TestLogOfWritesIsBounded(t *testing.T) {
	t.Parallel()
	const updates, size = 100, 1 << 20
	folder := t.TempDir()
	file := filepath.Join(folder, "link.db")
	require.NoError(t, os.Symlink("forge.db", file)) // beside the file itself is the log
	s := openFile(t, file)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var group errgroup.Group
	for range 3 {
		group.Go(func() error {
			for ctx.Err() == nil {
				err := s.View(t.Context(), func(tx forge.Tx) error {
					_, err := tx.LastEvent()
					pause, done := context.WithTimeout(ctx, 5*time.Millisecond)
					defer done()
					<-pause.Done()
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	var most int64
	for n := range updates {
		require.NoError(t, s.Update(t.Context(), func(tx forge.Tx) error {
			return tx.Servers().Insert(&forge.Server{ID: fmt.Sprint(n), PublicKey: strings.Repeat("x", size)})
		}))
		info, err := os.Stat(filepath.Join(folder, "forge.db-wal"))
		require.NoError(t, err)
		most = max(most, info.Size())
	}
	stop()
	require.NoError(t, group.Wait())
	require.Less(t, most, int64(updates*size/2))
}

package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// TestWaitingForAnotherProcess holds the file in an update of another Store.
func TestWaitingForAnotherProcess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "forge.db")
	s, other := openFile(t, file), openFile(t, file)
	insert := func(ctx context.Context) error {
		return s.Update(ctx, func(tx forge.Tx) error { return tx.Locks().Insert(&forge.Lock{Key: "b"}) })
	}
	require.NoError(t, other.Update(t.Context(), func(tx forge.Tx) error {
		require.NoError(t, tx.Locks().Insert(&forge.Lock{Key: "a"}))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, insert(ctx))
		require.ErrorIs(t, insert(t.Context()), forge.ErrUnavailable)
		return nil
	}))
	require.NoError(t, insert(t.Context()))
}

// TestEndOfContext ends contexts at any moment of an update: it is done if, and
// only if, that returns no error.
func TestEndOfContext(t *testing.T) {
	t.Parallel()
	s := openFile(t, filepath.Join(t.TempDir(), "forge.db"))
	var took time.Duration
	for n := range 500 {
		key, began := fmt.Sprint(n), time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		if n > 10 {
			time.AfterFunc(rand.N(took+1), cancel)
		}
		err := s.Update(ctx, func(tx forge.Tx) error { return tx.Locks().Insert(&forge.Lock{Key: key}) })
		cancel()
		if n <= 10 {
			took = time.Since(began)
		}
		if err != nil {
			require.Equal(t, context.Canceled, err, "%v", err)
		}
		require.NoError(t, s.View(t.Context(), func(tx forge.Tx) error {
			_, found := tx.Locks().Get(key)
			require.Equal(t, err == nil, found == nil, "%v, %v", err, found)
			return nil
		}))
	}
}

package forge_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// again is a store that once takes a transaction back and runs it again, after
// something else happened.
type again struct {
	forge.Store
	between func(forge.Tx) error
}

func (s *again) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if between := s.between; between != nil {
		s.between = nil
		conflict := errors.New("conflict")
		err := s.Store.Update(ctx, func(tx forge.Tx) error { return errors.Join(fn(tx), conflict) })
		if !errors.Is(err, conflict) {
			return err
		}
		if err := s.Store.Update(ctx, between); err != nil {
			return err
		}
	}
	return s.Store.Update(ctx, fn)
}

// A transaction that runs again begins with what was asked for.
func TestTransactionsThatRunAgain(t *testing.T) {
	t.Parallel()
	first := idle(t)
	store := &again{Store: first.store}
	w := first.join(store, first.queue)
	srv := w.addServer("")

	store.between = func(tx forge.Tx) error {
		srv.Stack.PHP = []string{"8.3"}
		return tx.Servers().Update(srv)
	}
	site, _, err := w.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "one.example.com"})
	require.NoError(t, err)
	require.Equal(t, "8.3", site.PHPVersion)

	known := w.addSite(srv, "known.example.com", func(s *forge.Site) { s.IdempotencyKey = "a" })
	store.between = func(tx forge.Tx) error { return tx.Sites().Delete(known.ID) }
	site, _, err = w.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "two.example.com", IdempotencyKey: "a"})
	require.NoError(t, err)
	require.Equal(t, "two.example.com", site.Domain)
	require.NotEqual(t, known.ID, site.ID)

	old := w.addServer("", func(s *forge.Server) { s.IdempotencyKey = "b" })
	store.between = func(tx forge.Tx) error { return tx.Servers().Delete(old.ID) }
	made, _, err := w.Servers.Create(t.Context(), forge.ServerOpts{Name: "new", Provider: "cloud", IdempotencyKey: "b"})
	require.NoError(t, err)
	require.Equal(t, "new", made.Name)
	require.NotEqual(t, old.ID, made.ID)
}

package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/store/postgres"
)

// everywhere does what a store can do, and returns its errors.
func everywhere(t *testing.T, s *postgres.Store) map[string]error {
	get := func(tx forge.Tx) error {
		_, err := tx.Servers().Get("one")
		return err
	}
	errs := map[string]error{
		"view":    s.View(t.Context(), get),
		"update":  s.Update(t.Context(), get),
		"insert":  s.Update(t.Context(), func(tx forge.Tx) error { return tx.Servers().Insert(&forge.Server{ID: "one"}) }),
		"clock":   s.Update(t.Context(), func(tx forge.Tx) error { _ = tx.Now(); return get(tx) }),
		"emit":    s.Update(t.Context(), func(tx forge.Tx) error { tx.Emit(forge.Event{}); return nil }),
		"ignored": s.Update(t.Context(), func(tx forge.Tx) error { _ = get(tx); return nil }),
		"wait":    s.Wait(t.Context(), 0),
	}
	for _, err := range s.Log(t.Context(), "one", 0) {
		errs["log"] = err
	}
	return errs
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	pool := pgtest.Pool(t, "postgres://ann:hunter2@/forge?host="+t.TempDir())
	s := with(t, postgres.Config{Pool: pool})
	errs := everywhere(t, s)
	errs["migrate"] = s.Migrate(t.Context())
	require.Len(t, errs, 9)
	for name, err := range errs {
		require.ErrorIs(t, err, forge.ErrUnavailable, name)
		require.NotErrorIs(t, err, forge.ErrUnknown, name)
		require.NotContains(t, fmt.Sprintf("%v %+v", err, err), "hunter2", name)
	}
}

func TestNotMigrated(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	for name, err := range everywhere(t, with(t, postgres.Config{Pool: pgtest.Pool(t, url), Schema: schema})) {
		require.ErrorIs(t, err, forge.ErrUnavailable, name)
		require.ErrorContains(t, err, "call Migrate", name)
	}
}

// TestErrorsOfTheCaller are given back as they are, and values are in no error.
func TestErrorsOfTheCaller(t *testing.T) {
	t.Parallel()
	s, mine := open(t), errors.New("mine")
	require.Equal(t, mine, s.Update(t.Context(), func(forge.Tx) error { return mine }))
	require.Equal(t, mine, s.View(t.Context(), func(forge.Tx) error { return mine }))

	insert := func(id string) error {
		return s.Update(t.Context(), func(tx forge.Tx) error {
			return tx.Servers().Insert(&forge.Server{ID: id, IdempotencyKey: "hunter2"})
		})
	}
	require.NoError(t, insert("a"))
	err := insert("b")
	require.ErrorIs(t, err, forge.ErrConflict)
	require.NotContains(t, fmt.Sprintf("%+v", err), "hunter2")
}

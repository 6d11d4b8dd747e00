package hetzner_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestDeleteWaitsUntilTheServerIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{Dying: 15 * time.Second})
		m, err := w.Create(t.Context(), spec(1))
		require.NoError(t, err)
		began := time.Now()
		require.NoError(t, w.Delete(t.Context(), m.ID))
		require.GreaterOrEqual(t, time.Since(began), 15*time.Second)
		require.Empty(t, w.api.Servers())
		require.Empty(t, w.api.Keys())
		require.NoError(t, w.Delete(t.Context(), m.ID))
	})
}

func TestDeleteThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{Dying: time.Hour})
		m, err := w.Create(t.Context(), spec(1))
		require.NoError(t, err)
		require.ErrorIs(t, w.Delete(t.Context(), m.ID), provider.ErrUnavailable)
		_, err = w.Create(t.Context(), spec(1))
		require.ErrorIs(t, err, provider.ErrUnavailable, "the one that is being deleted is not given out")
	})
}

func TestDeleteOfALockedServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{Boot: time.Minute})
		m, err := w.Create(t.Context(), spec(1))
		require.NoError(t, err)
		require.ErrorIs(t, w.Delete(t.Context(), m.ID), provider.ErrUnavailable)
		time.Sleep(time.Minute)
		require.NoError(t, w.Delete(t.Context(), m.ID))
		require.Empty(t, w.api.Servers())
	})
}

// What is listed and not yet found by its id is there, and is paid for.
func TestDeleteOfAServerThatIsNotFoundYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{Missing: 1})
	m, err := w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	require.NoError(t, w.Delete(t.Context(), m.ID))
	require.Empty(t, w.api.Servers())
	require.Empty(t, w.api.Keys())

	w.api.AddServer("web-2", map[string]string{"forge": "forge", "forge-id": "id-2"})
	list, err := w.List(t.Context())
	require.NoError(t, err)
	w.api.Refuse("GET /servers/{id}", 404, "not_found", "not yet")
	w.api.Refuse("DELETE /servers/{id}", 404, "not_found", "not yet")
	require.ErrorIs(t, w.Delete(t.Context(), list[0].ID), provider.ErrUnavailable)
	require.NoError(t, w.Delete(t.Context(), list[0].ID))
	require.Empty(t, w.api.Servers())
}

package access

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// lateStore does something once it has been read.
type lateStore struct {
	forge.Store
	then atomic.Pointer[func()]
}

func (s *lateStore) View(ctx context.Context, fn func(forge.Tx) error) error {
	err := s.Store.View(ctx, fn)
	if then := s.then.Swap(nil); then != nil {
		(*then)()
	}
	return err
}

// What is changed between the look at the grants and that at the server is no
// difference.
func TestChangeDuringDrift(t *testing.T) {
	t.Parallel()
	late := &lateStore{}
	w := newWorld(t, 2, func(c *forge.Config) {
		late.Store = c.Store
		c.Store = late
	})
	ada := w.person("ada")
	on, everything := forge.Selector{All: true, User: "deploy"}, forge.Selector{All: true}
	w.done(w.Keys.Sync(t.Context(), ada.key.ID, on))
	w.done(w.Keys.Revoke(t.Context(), ada.key.ID, on, nil))
	before := w.drift(everything)
	for name, change := range map[string]func() (*forge.Action, error){
		"sync":   func() (*forge.Action, error) { return w.Keys.Sync(t.Context(), ada.key.ID, on) },
		"revoke": func() (*forge.Action, error) { return w.Keys.Revoke(t.Context(), ada.key.ID, on, nil) },
		"rotate": func() (*forge.Action, error) { return w.Keys.RotateControl(t.Context(), everything) },
	} {
		if name == "revoke" {
			w.done(w.Keys.Sync(t.Context(), ada.key.ID, on))
		}
		late.then.Store(new(func() { w.done(change()) }))
		require.Equal(t, before, w.drift(everything), name)
		require.Nil(t, late.then.Load(), "nothing was changed meanwhile")
		require.Equal(t, before, w.drift(everything), name)
	}
}

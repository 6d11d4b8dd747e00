package forge_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/store/memory"
)

func TestSiteThatCannotBeDeployed(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	status := func(to forge.SiteStatus) {
		h.put(func(tx forge.Tx) error {
			site, err := tx.Sites().Get(h.site.ID)
			if err != nil {
				return err
			}
			site.Status = to
			return tx.Sites().Update(site)
		})
	}
	status(forge.SiteInstalling)
	why := "the site is installing; it must be installed or deployed"
	refused := hookAnswer{http.StatusConflict, "refused", why, ""}
	require.Equal(t, refused, h.send(h.push(1)))
	require.Equal(t, refused, h.send(h.push(1)), "it is refused again")
	call := delivery{method: http.MethodPost, path: "/" + h.site.ID + "/" + h.token}
	require.Equal(t, refused, h.send(call))
	require.Len(t, h.deliveries(), 1)
	require.Equal(t, []any{forge.DeliveryRefused, why}, []any{h.deliveries()[0].Result, h.deliveries()[0].Reason})
	stranger := h.push(1)
	stranger.id = "id-9"
	require.Equal(t, refused, h.send(stranger))

	status(forge.SiteInstalled)
	a := h.send(h.push(1))
	require.Equal(t, "deployed", a.Result, "sent again, it is tried again")
	require.Equal(t, "duplicate", h.send(h.push(1)).Result)
	all := h.deliveries()
	require.Len(t, all, 1)
	require.Equal(t, []any{forge.DeliveryDeployed, "", a.Deployment}, []any{all[0].Result, all[0].Reason, all[0].Deployment})
}

// A body that deployed once does not so again under the id of one that was
// refused.
func TestReplayUnderTheIDOfARefusedOne(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	first := h.send(h.push(1))
	h.put(func(tx forge.Tx) error {
		return tx.Deliveries().Insert(&forge.Delivery{ID: newID(), Owner: "acme", Site: h.site.ID, Key: "id-2", Digest: "x", Result: forge.DeliveryRefused})
	})
	replayed := h.push(1)
	replayed.id = "id-2"
	require.Equal(t, hookAnswer{http.StatusOK, "duplicate", "it was received before", first.Deployment}, h.send(replayed))
}

// brokenStore fails when it is told to.
type brokenStore struct {
	forge.Store
	view, update error
}

func (s *brokenStore) View(ctx context.Context, fn func(forge.Tx) error) error {
	return errors.Join(s.view, s.Store.View(ctx, fn))
}

func (s *brokenStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if s.update != nil {
		return s.update
	}
	return s.Store.Update(ctx, fn)
}

func TestStoreThatFails(t *testing.T) {
	t.Parallel()
	store := &brokenStore{Store: memory.New(memory.Config{})}
	h := newHooked(t, newWorld(t, store, queuememory.New(queuememory.Config{}), providertest.FakeConfig{}))
	failed := hookAnswer{http.StatusServiceUnavailable, "error", "it cannot be done now; try again", ""}
	call := delivery{method: http.MethodPost, path: "/" + h.site.ID + "/" + h.token}
	store.view = errors.New("gone")
	require.Equal(t, failed, h.send(h.push(1)))
	require.Equal(t, failed, h.send(call))
	store.view, store.update = nil, errors.New("gone")
	require.Equal(t, failed, h.send(h.push(1)))
	require.Equal(t, failed, h.send(call))
	store.update = nil
	require.Equal(t, http.StatusAccepted, h.send(h.push(1)).status, "sent again, it deploys")
}

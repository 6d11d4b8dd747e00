package forge_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
)

func (h *hooked) status(to forge.SiteStatus) {
	h.put(func(tx forge.Tx) error {
		site, err := tx.Sites().Get(h.site.ID)
		if err != nil {
			return err
		}
		site.Status = to
		return tx.Sites().Update(site)
	})
}

// A push that looks like an earlier one is another, where the branch was deployed
// for one between them.
func TestThereAndBackAndThereAgain(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	results := func(id string, body int) string {
		d := h.push(body)
		d.id = id
		return h.send(d).Result
	}
	require.Equal(t, "deployed", results("there", 1))
	require.Equal(t, "duplicate", results("replayed", 1))
	require.Equal(t, "deployed", results("back", 2))
	require.Equal(t, "deployed", results("there-again", 1))
	require.Equal(t, "duplicate", results("replayed", 1))
	for _, id := range []string{"there", "back", "there-again"} {
		require.Equal(t, "duplicate", results(id, 1), id)
	}
	all := h.deliveries()
	require.Len(t, all, 3)
	require.Equal(t, all[0].ID, all[0].Digest, "the body is the last one's")
	require.Len(t, all[2].Digest, 64)
}

// Two that were refused are one, by its key and by its body.
func TestTwoThatWereRefused(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	h.status(forge.SiteInstalling)
	require.Equal(t, http.StatusConflict, h.send(h.push(1)).status)
	require.Equal(t, http.StatusConflict, h.send(h.push(2)).status)
	h.status(forge.SiteInstalled)
	both := h.push(2)
	both.id = "id-1"
	require.Equal(t, "deployed", h.send(both).Result)
	all := h.deliveries()
	require.Len(t, all, 2)
	require.Equal(t, []any{forge.DeliveryDeployed, forge.DeliveryRefused, all[1].ID}, []any{all[0].Result, all[1].Result, all[1].Digest})

	var moves [][2]string
	for e, err := range h.Events(t.Context(), &forge.EventFilter{After: forge.Beginning}) {
		require.NoError(t, err)
		if e.Subject.ID == all[0].ID {
			moves = append(moves, [2]string{e.From, e.To})
		}
		if len(moves) == 2 {
			break
		}
	}
	require.Equal(t, [][2]string{{"", "refused"}, {"refused", "deployed"}}, moves)
}

// A site's deliveries go a small part at a time.
func TestManyDeliveriesAreRemoved(t *testing.T) {
	for name, server := range map[string]bool{"with their site": false, "with their server": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newPlayed(t, nil)
			store := &countingStore{Store: m.store}
			w := m.join(store, queuememory.New(queuememory.Config{}))
			site := w.addSite(m.server, "example.com")
			w.put(func(tx forge.Tx) error {
				for range 120 {
					id := newID()
					if err := tx.Deliveries().Insert(&forge.Delivery{ID: id, Site: site.ID, Key: id, Digest: id}); err != nil {
						return err
					}
				}
				return nil
			})
			defer w.start()()
			var a *forge.Action
			var err error
			if server {
				a, err = w.Servers.Delete(t.Context(), m.server.ID, nil)
			} else {
				a, err = w.Sites.Delete(t.Context(), site.ID)
			}
			require.NoError(t, err)
			_, err = w.Actions.Wait(t.Context(), a.ID)
			require.NoError(t, err)
			left, err := w.Hooks.Deliveries(t.Context(), forge.DeliveryFilter{}, forge.Page{})
			require.NoError(t, err)
			require.Empty(t, left)
			require.Equal(t, 50, store.most)
		})
	}
}

// countingStore counts the deliveries that one transaction removes.
type countingStore struct {
	forge.Store
	most int
}

func (s *countingStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	n := 0
	return s.Store.Update(ctx, func(tx forge.Tx) error {
		err := fn(countingTx{tx, &n})
		s.most = max(s.most, n) // no other transaction is under way
		return err
	})
}

type countingTx struct {
	forge.Tx
	removed *int
}

func (t countingTx) Deliveries() forge.Table[forge.Delivery, forge.DeliveryFilter] {
	return countingTable{t.Tx.Deliveries(), t.removed}
}

type countingTable struct {
	forge.Table[forge.Delivery, forge.DeliveryFilter]
	removed *int
}

func (t countingTable) Delete(id string) error { *t.removed++; return t.Table.Delete(id) }

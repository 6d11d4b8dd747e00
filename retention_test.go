package forge_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
)

// span is longer than what is too old may stay.
const span = 3 * time.Hour

// keeper is a world where what is old is removed, and whose commands say a line.
type keeper struct {
	*world
	server *forge.Server
}

func newKeeper(t *testing.T, store forge.Store, q queue.Queue, keep forge.Retention) *keeper {
	w := newWorld(t, store, q, providertest.FakeConfig{})
	f, err := forge.New(forge.Config{Store: store, Queue: w.queue, Sealer: w.sealer, Retention: keep,
		Providers: map[string]provider.Provider{"cloud": w.cloud}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	w.Forge = f
	k := &keeper{world: w}
	for _, kind := range []forge.Kind{forge.KindExec, forge.KindDeploy, forge.KindInstallStack, forge.KindCreateSite} {
		k.Stub(kind, func(ctx context.Context, work forge.TestWork) error {
			if kind == forge.KindCreateSite {
				work.SiteReady(forge.SiteInstalled)
			}
			return work.Say(ctx, "said by "+string(kind))
		})
	}
	return k
}

func (k *keeper) exec(f *forge.Forge) *forge.Action {
	a, err := f.Servers.Exec(k.t.Context(), k.server.ID, forge.ExecOpts{Command: "true", User: "root"})
	require.NoError(k.t, err)
	a, err = f.Actions.Wait(k.t.Context(), a.ID)
	require.NoError(k.t, err)
	return a
}

func (k *keeper) deploy(site string) *forge.Deployment {
	d, err := k.Deployments.Trigger(k.t.Context(), site, nil)
	require.NoError(k.t, err)
	d, err = k.Deployments.Wait(k.t.Context(), d.ID)
	require.NoError(k.t, err)
	return d
}

func (k *keeper) log(id string) (texts []string, err error) {
	for line, err := range k.Actions.Log(k.t.Context(), id, 0, 0) {
		if err != nil {
			return texts, err
		}
		texts = append(texts, line.Text)
	}
	return texts, nil
}

// requireRemoved checks that a log says that it was removed, however it is read.
func (k *keeper) requireRemoved(id string) {
	k.t.Helper()
	_, err := k.log(id)
	require.ErrorIs(k.t, err, forge.ErrState)
	require.ErrorContains(k.t, err, "was removed at 2000-01-")
	_, err = count(k.Actions.Follow(k.t.Context(), id, 0))
	require.ErrorIs(k.t, err, forge.ErrState)
	n, err := k.Actions.Download(k.t.Context(), id, io.Discard)
	require.ErrorIs(k.t, err, forge.ErrState)
	require.Zero(k.t, n)
}

func (k *keeper) requireGone(ids ...string) {
	k.t.Helper()
	for _, id := range ids {
		_, err := k.Actions.Get(k.t.Context(), id)
		require.ErrorIs(k.t, err, forge.ErrNotFound)
	}
}

// TestRetention has a process work for long.
func TestRetention(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		k := newKeeper(t, store, q, forge.Retention{Logs: span, Actions: 3 * span, Deliveries: 2 * span, Events: 2 * span, DeletedServers: 5 * span})
		defer k.start()()
		var made *forge.Action
		k.server, made = k.create(func(o *forge.ServerOpts) { o.Stack.PHP = []string{"8.2"} })
		_, err := k.Actions.Wait(t.Context(), made.ID)
		require.NoError(t, err)
		site, setup, err := k.Sites.Create(t.Context(), k.server.ID, forge.SiteOpts{Domain: "a.example.com", Repository: "https://example.com/a.git"})
		require.NoError(t, err)
		_, err = k.Actions.Wait(t.Context(), setup.ID)
		require.NoError(t, err)
		second, third := k.deploy(site.ID), k.deploy(site.ID)
		command := k.exec(k.Forge)
		k.put(func(tx forge.Tx) error {
			return tx.Deliveries().Insert(&forge.Delivery{ID: newID(), Site: site.ID, Key: "k", Digest: "d", Created: tx.Now()})
		})
		k.Stub(forge.KindRestartService, func(ctx context.Context, w forge.TestWork) error {
			if err := w.Say(ctx, "begun"); err != nil {
				return err
			}
			return w.Wait(50 * 365 * 24 * time.Hour) // it never ends
		})
		open, err := k.Servers.RestartService(t.Context(), k.server.ID, "nginx")
		require.NoError(t, err)
		k.put(func(tx forge.Tx) error {
			a, err := tx.Actions().Get(open.ID)
			require.NoError(t, err)
			a.Timeout = 100 * 365 * 24 * time.Hour
			return tx.Actions().Update(a)
		})

		time.Sleep(30 * time.Minute) // to look between two purges
		time.Sleep(span - time.Hour)
		for _, id := range []string{command.ID, made.ID, second.Action} {
			_, err := k.log(id)
			require.NoError(t, err)
		}
		time.Sleep(2 * time.Hour)
		for _, id := range []string{command.ID, made.ID, setup.ID, second.Action, third.Action} {
			k.requireRemoved(id)
		}
		begun, err := k.log(open.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"begun"}, begun)
		late := k.exec(k.Forge)
		said, err := k.log(late.ID)
		require.NoError(t, err)
		require.Equal(t, []string{"said by execute_command"}, said)

		time.Sleep(2 * span)
		require.Empty(t, k.deliveries())
		for _, err := range k.Events(t.Context(), &forge.EventFilter{After: 1}) {
			require.ErrorIs(t, err, forge.ErrState)
			break
		}
		k.requireGone(command.ID, second.Action)
		_, err = k.Deployments.Get(t.Context(), second.ID)
		require.ErrorIs(t, err, forge.ErrNotFound)
		for _, id := range []string{made.ID, setup.ID, third.Action, late.ID, open.ID} {
			k.get(id) // what made things, what is live, what is new, what is open
		}
		_, err = k.Deployments.Get(t.Context(), third.ID)
		require.NoError(t, err)

		deleted, err := k.Servers.Delete(t.Context(), k.server.ID, &forge.DeleteOpts{Force: true})
		require.NoError(t, err)
		_, err = k.Actions.Wait(t.Context(), deleted.ID)
		require.NoError(t, err)
		time.Sleep(5*span - time.Hour)
		k.requireGone(setup.ID, third.Action, deleted.ID)
		require.Equal(t, forge.ServerDeleted, k.read(k.server.ID).Status)
		time.Sleep(2 * time.Hour)
		k.requireGone(made.ID)
		c := k.contents()
		require.Empty(t, c.Servers)
		require.Empty(t, c.Actions)
		require.Empty(t, c.Deployments)
		require.Empty(t, c.Locks)
	})
}

func (k *keeper) deliveries() (all []*forge.Delivery) {
	require.NoError(k.t, k.store.View(k.t.Context(), func(tx forge.Tx) (err error) {
		all, err = tx.Deliveries().List(forge.DeliveryFilter{}, forge.Page{})
		return err
	}))
	return all
}

// TestPurgeTogether has several processes and owners remove what is too old.
func TestPurgeTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		k := newKeeper(t, store, q, forge.Retention{Actions: span})
		stop := k.start()
		k.server = k.addServer("ann", func(s *forge.Server) { s.ID = newID() })
		for range 120 {
			k.exec(k.Forge)
		}
		anns := k.server
		k.server = k.addServer("bob")
		bobs := k.exec(k.Forge)
		stop()
		time.Sleep(span + time.Minute)

		none, err := k.For("").Purge(t.Context())
		require.NoError(t, err)
		require.Zero(t, none)
		other, err := k.For("eve").Purge(t.Context())
		require.NoError(t, err)
		require.Zero(t, other)

		var group errgroup.Group
		total := make(chan int, 4)
		for range cap(total) {
			group.Go(func() error {
				purged, err := k.For("ann").Purge(t.Context())
				total <- purged.Actions
				return err
			})
		}
		require.NoError(t, group.Wait())
		require.Equal(t, 120, <-total+<-total+<-total+<-total, "each is removed once")
		left, err := k.Actions.List(t.Context(), forge.ActionFilter{Server: anns.ID}, forge.Page{})
		require.NoError(t, err)
		require.Empty(t, left)
		k.get(bobs.ID)
		purged, err := k.Purge(t.Context())
		require.NoError(t, err)
		require.Equal(t, forge.Purged{Actions: 1}, purged)
	})
}

func TestRetentionIsChecked(t *testing.T) {
	t.Parallel()
	_, err := forge.New(forge.Config{Store: idle(t).store, Retention: forge.Retention{Logs: -1}})
	require.ErrorIs(t, err, forge.ErrInvalid)
	var e *forge.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, "retention", e.Field)
}

// TestPurgeOwner checks what is in the way, and that nothing is left of the
// owner, and all of others.
func TestPurgeOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		k := newKeeper(t, store, q, forge.Retention{})
		defer k.start()()
		ann := k.For("ann")
		key := k.addKey("ann")
		bobs := k.addServer("bob")
		k.addSite(bobs, "b.example.com")
		k.addKey("bob")
		k.server = bobs
		k.exec(k.Forge)
		others := k.contents()

		k.server = k.addServer("ann")
		site := k.addSite(k.server, "a.example.com")
		for range 70 {
			k.exec(ann)
		}
		k.deploy(site.ID)
		k.put(func(tx forge.Tx) error {
			return tx.Deliveries().Insert(&forge.Delivery{ID: newID(), Owner: "ann", Site: site.ID, Key: "k", Digest: "d"})
		})
		refused := func(text string) {
			t.Helper()
			purged, err := k.PurgeOwner(t.Context(), "ann")
			require.ErrorIs(t, err, forge.ErrState)
			require.ErrorContains(t, err, text)
			require.Zero(t, purged)
		}
		refused("server " + k.server.ID)
		for _, status := range []forge.ServerStatus{forge.ServerArchived, forge.ServerError} {
			k.setServer(func(s *forge.Server) { s.Status = status })
			refused("is " + string(status))
		}
		k.setServer(func(s *forge.Server) { s.Status = forge.ServerDeleted })
		grant := &forge.Grant{ID: newID(), Owner: "ann", Key: key.ID, Server: bobs.ID, User: "forge", Status: forge.GrantFailed}
		k.put(func(tx forge.Tx) error { return tx.Grants().Insert(grant) })
		refused("on server " + bobs.ID)
		k.put(func(tx forge.Tx) error {
			grant.Status = forge.GrantRevoked
			return tx.Grants().Update(grant)
		})
		open := k.insert(func(a *forge.Action) {
			a.Owner, a.Kind, a.RunAt = "ann", forge.KindValidate, time.Now().Add(time.Hour)
		})
		_, err := k.For("bob").PurgeOwner(t.Context(), "ann")
		require.ErrorIs(t, err, forge.ErrNotFound)
		_, err = k.PurgeOwner(t.Context(), "")
		require.ErrorIs(t, err, forge.ErrInvalid)
		_, err = k.Actions.Wait(t.Context(), open.ID)
		require.Error(t, err)

		purged, err := ann.PurgeOwner(t.Context(), "ann")
		require.NoError(t, err)
		require.Equal(t, forge.Purged{Servers: 1, Sites: 1, Keys: 1, Grants: 1, Deployments: 1, Deliveries: 1, Actions: 72}, purged)
		left := k.contents()
		require.Empty(t, k.deliveries())
		left.LastEvent, left.Jobs, left.Calls = others.LastEvent, others.Jobs, others.Calls
		left.Keys, others.Keys = left.Keys[:0], others.Keys[:0]
		require.Equal(t, others, left)
		again, err := ann.PurgeOwner(t.Context(), "ann")
		require.NoError(t, err)
		require.Zero(t, again)
	})
}

func (k *keeper) setServer(edit func(*forge.Server)) {
	k.put(func(tx forge.Tx) error {
		edit(k.server)
		return tx.Servers().Update(k.server)
	})
}

// TestLogRange reads parts of the log of an action with parts.
func TestLogRange(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		k := newKeeper(t, store, q, forge.Retention{})
		say := func(name string) func(context.Context, forge.TestWork) error {
			return func(ctx context.Context, w forge.TestWork) error {
				for i := range 10 {
					if err := w.Say(ctx, name+strings.Repeat("+", i)); err != nil {
						return err
					}
				}
				w.SiteReady(forge.SiteInstalled)
				return nil
			}
		}
		k.Stub(forge.KindCreateSite, say("create"))
		k.Stub(forge.KindDeploy, func(ctx context.Context, w forge.TestWork) error {
			if err := w.Say(ctx, "\x1b[31mred\x1b[2J"); err != nil {
				return err
			}
			return errors.New("it went wrong")
		})
		defer k.start()()
		k.server = k.addServer("")
		_, setup, err := k.Sites.Create(t.Context(), k.server.ID, forge.SiteOpts{Domain: "a.example.com", Repository: "https://example.com/a.git"})
		require.NoError(t, err)
		_, err = k.Actions.Wait(t.Context(), setup.ID)
		require.Error(t, err)
		var all []forge.Line
		for line, err := range k.Actions.Log(t.Context(), setup.ID, 0, 0) {
			require.NoError(t, err)
			all = append(all, line)
		}
		require.Len(t, all, 12)
		for from := range int64(14) {
			for to := range int64(14) {
				var got []forge.Line
				for line, err := range k.Actions.Log(t.Context(), setup.ID, from, to) {
					require.NoError(t, err)
					got = append(got, line)
				}
				end := min(to, 12)
				if to == 0 {
					end = 12
				}
				require.Equal(t, all[min(from, end):end], append([]forge.Line{}, got...), "%d to %d", from, to)
			}
		}

		var text strings.Builder
		n, err := k.Actions.Download(t.Context(), setup.ID, &text)
		require.NoError(t, err)
		require.EqualValues(t, text.Len(), n)
		lines := strings.Split(text.String(), "\n")
		require.Equal(t, "[forge] create+", lines[1])
		require.Equal(t, []string{"[forge] \x1b[31mred^[[2J\x1b[0m", "[forge] error: it went wrong", ""}, lines[10:])

		_, err = k.Actions.Download(t.Context(), newID(), &text)
		require.ErrorIs(t, err, forge.ErrNotFound)
		_, err = k.Actions.Download(t.Context(), setup.ID, brokenWriter{})
		require.ErrorIs(t, err, io.ErrClosedPipe)

		// The first part's log is removed; what is beyond it can be read.
		k.put(func(tx forge.Tx) error {
			parts, err := tx.Actions().List(forge.ActionFilter{Parent: setup.ID}, forge.Page{})
			require.NoError(t, err)
			parts[0].LogRemoved = tx.Now()
			require.NoError(t, tx.Actions().Update(parts[0]))
			return tx.DropLog(parts[0].ID)
		})
		k.requireRemoved(setup.ID)
		n2, err := count(k.Actions.Log(t.Context(), setup.ID, 10, 0))
		require.NoError(t, err)
		require.Equal(t, 2, n2)
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

package forge_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue"
)

// A machine of one's own that does not answer is not forgotten, but by force,
// which says what is left there.
func TestDeleteOfAMachineThatDoesNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		w.machines = static.New(static.Config{Dial: func(context.Context, string, int) (net.Conn, error) {
			return nil, errors.New("no route to host")
		}})
		w = w.join(store, q).installs()
		defer w.start()()
		srv, a := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)

		a, err = w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		a, err = w.Actions.Wait(t.Context(), a.ID)
		require.ErrorContains(t, err, "no route to host")
		require.Equal(t, forge.ReasonUnreachable, a.Failure.Reason)
		require.Equal(t, 3, a.Attempt)
		require.Equal(t, forge.ServerError, w.read(srv.ID).Status)

		a, err = w.Servers.Delete(t.Context(), srv.ID, &forge.DeleteOpts{Force: true})
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
		var said []string
		for line, err := range w.Actions.Follow(t.Context(), a.ID, 0) {
			require.NoError(t, err)
			said = append(said, line.Text)
		}
		require.Contains(t, strings.Join(said, "\n"), "/etc/ssh/sshd_config.d/00-forge.conf")
	})
}

// Where nothing of forge's ever ran, there is nothing to be taken away.
func TestDeleteOfAMachineThatWasNeverReached(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		w.machines = static.New(static.Config{Dial: func(context.Context, string, int) (net.Conn, error) {
			return nil, errors.New("no route to host")
		}})
		w = w.join(store, q)
		srv, _ := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
		a, err := w.Servers.Delete(t.Context(), srv.ID, nil)
		require.NoError(t, err)
		defer w.start()()
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
	})
}

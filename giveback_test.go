package forge_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
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

// The answer to the last script may be lost; after it, the machine does not take
// forge's key any more.
func TestDeleteOfAMachineWhoseLastAnswerIsLost(t *testing.T) {
	t.Parallel()
	var first *sshtest.Server
	var addr atomic.Pointer[string]
	hostKey := otherHostKey(t)
	refusing := sshtest.New(t, &sshtest.Options{HostKey: hostKey})
	var ran atomic.Int32
	first = sshtest.New(t, &sshtest.Options{HostKey: hostKey, AnyKey: true, Handler: func(_ context.Context, e *sshtest.Exec) int {
		ran.Add(1)
		if strings.Contains(e.Script, "readonly mode=remove") {
			addr.Store(&refusing.Addr)
			first.CloseConns()
		}
		return 0
	}})
	addr.Store(&first.Addr)
	w := newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{})
	w.machines = static.New(static.Config{
		Dial: func(ctx context.Context, _ string, _ int) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", *addr.Load())
		},
		HostKeys: func(context.Context, string) ([]ssh.PublicKey, error) {
			return []ssh.PublicKey{hostKey.PublicKey()}, nil
		},
	})
	w = w.join(w.store, queuememory.New(queuememory.Config{})).installs()
	defer w.start()()
	srv, a := w.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
	_, err := w.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)

	a, err = w.Servers.Delete(t.Context(), srv.ID, nil)
	require.NoError(t, err)
	a, err = w.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, 1, a.Attempt)
	require.EqualValues(t, 3, ran.Load())
	require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
}

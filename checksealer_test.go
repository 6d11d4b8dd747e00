package forge_test

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

func newKeys(t *testing.T) *tink.Keyset {
	k, err := tink.New()
	require.NoError(t, err)
	return k
}

// logged is what an operator sees.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what was logged since the last time.
func (l *logged) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

// sealedWith is another process with the same store and a Sealer, and its log.
func (w *world) sealedWith(s secret.Sealer) (*world, *logged) {
	w.t.Helper()
	said := &logged{}
	logger := slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	other := &world{engine: &engine{t: w.t, store: w.store}, queue: w.queue, cloud: w.cloud, machines: w.machines, sealer: s}
	f, err := forge.New(forge.Config{Store: w.store, Queue: w.queue, Sealer: s, Logger: logger})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, f.Close()) })
	other.Forge = f
	return other, said
}

// withKey puts a server there with a control key of its own.
func (w *world) withKey(owner string) *forge.Server {
	return w.addServer(owner, func(s *forge.Server) {
		s.ControlKey = w.seal("control-key-of-"+s.ID, "servers/"+s.ID+"/control_key")
		s.DatabasePassword = w.seal("password-of-"+s.ID, "servers/"+s.ID+"/database_password")
	})
}

func TestRunRefusesTheWrongKeyset(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		keys := newKeys(t)
		w := newWorld(t, store, q, providertest.FakeConfig{})
		w, _ = w.sealedWith(keys)
		require.NoError(t, w.CheckSealer(t.Context()), "an empty store fits all")
		srv := w.withKey("alice")
		a := w.insert()
		require.NoError(t, w.CheckSealer(t.Context()))
		before := w.contents()

		rotated, err := keys.Rotate()
		require.NoError(t, err)
		forgot, err := rotated.Disable(keys.Keys()[0])
		require.NoError(t, err)
		for name, test := range map[string]struct {
			sealer secret.Sealer
			says   string
		}{
			"another keyset": {newKeys(t), "sealed with key " + keys.Keys()[0] + ", which is not in the keyset"},
			"disabled":       {forgot, "sealed with key " + keys.Keys()[0] + ", which is disabled in the keyset"},
			"none given":     {nil, "open \"servers/" + srv.ID + "/control_key\""},
		} {
			other, said := w.sealedWith(test.sealer)
			other.SetHandler(forge.KindValidate, 1, time.Minute, func(context.Context, forge.TestWork) error {
				t.Error("it works with the wrong keys")
				return nil
			})
			for _, err := range []error{other.Run(t.Context()), other.CheckSealer(t.Context()), other.For("alice").CheckSealer(t.Context())} {
				require.ErrorIs(t, err, forge.ErrState, name)
				require.ErrorIs(t, err, secret.ErrNotAuthentic, name)
				require.ErrorContains(t, err, test.says, name)
				require.ErrorContains(t, err, "start with the keyset that has it, or bring that back from its backup", name)
			}
			require.NoError(t, other.For("bob").CheckSealer(t.Context()))
			require.NoError(t, other.For("").CheckSealer(t.Context()))
			require.Empty(t, said.take())
		}
		require.Equal(t, before, w.contents(), "nothing was done")

		other, _ := w.sealedWith(rotated)
		other.SetHandler(forge.KindValidate, 1, time.Minute, func(context.Context, forge.TestWork) error { return nil })
		defer other.start()()
		_, err = other.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
	})
}

// Oldest and newest are both looked at: rotation may have come as far as the half.
func TestOldAndNewKeysAreNeeded(t *testing.T) {
	t.Parallel()
	first, second := newKeys(t), newKeys(t)
	w := idle(t)
	for _, k := range []*tink.Keyset{first, first, second, first, second, second} {
		with, _ := w.sealedWith(k)
		with.withKey("")
	}
	for _, k := range []*tink.Keyset{first, second} {
		with, _ := w.sealedWith(k)
		require.ErrorIs(t, with.CheckSealer(t.Context()), forge.ErrState)
	}
}

// A single value that was damaged is no reason not to work.
func TestDamagedValueIsNoWrongKeyset(t *testing.T) {
	t.Parallel()
	w, said := idle(t).sealedWith(newKeys(t))
	srv := w.withKey("")
	srv.ControlKey[len(srv.ControlKey)-1] ^= 1
	w.put(func(tx forge.Tx) error { return tx.Servers().Update(srv) })
	require.NoError(t, w.CheckSealer(t.Context()))
	require.Contains(t, said.take(), "level=WARN msg=\"a sealed value does not open\" error=\"open \\\"servers/"+srv.ID+"/control_key")

	srv.DatabasePassword = nil
	w.put(func(tx forge.Tx) error { return tx.Servers().Update(srv) })
	require.ErrorIs(t, w.CheckSealer(t.Context()), forge.ErrState, "nothing opens at all")
}

// A store that does not answer yet is waited for.
func TestRunWaitsForTheStoreToCheckTheSealer(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		slow := &mutableStore{Store: store}
		slow.broken.Store(true)
		w, said := newWorld(t, slow, q, providertest.FakeConfig{}).sealedWith(newKeys(t))
		w.SetHandler(forge.KindValidate, 1, time.Minute, func(context.Context, forge.TestWork) error { return nil })
		require.ErrorIs(t, w.CheckSealer(t.Context()), errBroken)
		stop := w.start()
		time.Sleep(time.Minute)
		require.Contains(t, said.take(), "the sealer cannot be checked yet")
		slow.broken.Store(false)
		a := w.insert()
		_, err := w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		stop()

		slow.broken.Store(true)
		w.start()() // and it ends when it is told to
	})
}

package forge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// controlLines are the lines of root on a host that let forge in.
func controlLines(t *testing.T, h *sshfleet.Host) (control []string) {
	t.Helper()
	text, err := h.File("/root/.ssh/authorized_keys")
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " forge:control-") {
			control = append(control, strings.TrimSpace(line))
		}
	}
	return control
}

// control opens the control key of a server, as it is in the record.
func (w *world) control(srv *forge.Server) ssh.Signer {
	w.t.Helper()
	private, err := w.sealer.Open(w.t.Context(), srv.ControlKey, "servers/"+srv.ID+"/control_key")
	require.NoError(w.t, err)
	signer, err := ssh.ParsePrivateKey([]byte(private.Reveal()))
	require.NoError(w.t, err)
	return signer
}

// opens reports whether a key alone opens root on a host.
func opens(t *testing.T, h *sshfleet.Host, key ssh.Signer) bool {
	t.Helper()
	client, err := sshexec.Dial(t.Context(), sshexec.Target{
		Addr: h.Addr(), User: "root", Signers: []ssh.Signer{key}, HostKeys: sshexec.Pinned(h.HostKey),
	})
	var refused *sshexec.ConnectError
	if errors.As(err, &refused) && refused.Stage == sshexec.StageAuth {
		return false
	}
	require.NoError(t, err)
	require.NoError(t, client.Close())
	return true
}

func (w *world) rotate(on forge.Selector) *forge.Action {
	w.t.Helper()
	a, err := w.Keys.RotateControl(w.t.Context(), on)
	require.NoError(w.t, err)
	return a
}

func TestRotateControl(t *testing.T) {
	t.Parallel()
	fleet := fleettest.Start(t, 2)
	w := ownHosts(t, fleet, fleet.Signer)
	defer w.start()()
	before := []*forge.Server{w.adopt(fleet.Hosts[0]), w.adopt(fleet.Hosts[1])}
	w.addServer("", func(s *forge.Server) { s.Status = forge.ServerArchived })
	for i, h := range fleet.Hosts {
		require.Equal(t, []string{before[i].PublicKey + " forge:control-" + before[i].ID}, controlLines(t, h))
		require.True(t, opens(t, h, w.control(before[i])))
	}

	// A command that runs goes on over its connection, and so does a detached one.
	exec, err := w.Servers.Exec(t.Context(), before[0].ID, forge.ExecOpts{User: "root", Command: `touch /run/executes; until [[ -e /run/end ]]; do sleep 0.05; done; echo executed`})
	require.NoError(t, err)
	end := make(chan error, 1)
	go func() {
		_, err := w.Servers.Run(t.Context(), before[0].ID, forge.RunOpts{User: "root", Script: `touch /run/runs; until [[ -e /run/end ]]; do sleep 0.05; done`})
		end <- err
	}()
	_, err = fleet.Hosts[0].Run(t.Context(), `until [[ -e /run/executes && -e /run/runs ]]; do sleep 0.05; done`)
	require.NoError(t, err)
	a, err := w.Actions.Wait(t.Context(), w.rotate(forge.Selector{All: true}).ID)
	require.NoError(t, err)
	require.Equal(t, 2, a.Children)
	require.Contains(t, strings.Join(w.texts(a.ID), "\n"), "archived")
	_, err = fleet.Hosts[0].Run(t.Context(), `touch /run/end`)
	require.NoError(t, err)
	require.NoError(t, <-end)
	executed, err := w.Actions.Wait(t.Context(), exec.ID)
	require.NoError(t, err)
	require.Zero(t, executed.Tries, "nobody had to attach again")
	require.Equal(t, []string{"executed"}, w.texts(exec.ID))

	for i, h := range fleet.Hosts {
		srv := w.read(before[i].ID)
		require.NotEqual(t, before[i].PublicKey, srv.PublicKey)
		require.True(t, srv.ControlKeyMade.After(before[i].ControlKeyMade))
		require.Empty(t, srv.NextControlKey)
		require.Empty(t, srv.NextPublicKey)
		require.Empty(t, srv.OldPublicKey)
		require.Equal(t, []string{srv.PublicKey + " forge:control-" + srv.ID}, controlLines(t, h))
		require.True(t, opens(t, h, w.control(srv)))
		require.False(t, opens(t, h, w.control(before[i])))
		require.True(t, opens(t, h, fleet.Signer), "the lines of others stay")
		_, err := w.Servers.Run(t.Context(), srv.ID, forge.RunOpts{Script: "true", User: "root"})
		require.NoError(t, err)
	}
	for part, err := range w.Actions.All(t.Context(), forge.ActionFilter{Parent: a.ID}) {
		require.NoError(t, err)
		require.Regexp(t, `the control key SHA256:\S+ is \d+s old; the next one is SHA256:`, strings.Join(w.texts(part.ID), "\n"))
	}
	_, err = w.Keys.RotateControl(t.Context(), forge.Selector{})
	require.ErrorIs(t, err, forge.ErrInvalid)
}

// cleaned is a provider of machines of one's own that keeps entries of keys.
type cleaned struct {
	*static.Provider
	mu    sync.Mutex
	specs []provider.Spec
	err   error
}

func (c *cleaned) Clean(_ context.Context, spec provider.Spec) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.specs = append(c.specs, spec)
	return c.err
}

// On a server with a stack, the keys are in root's place; the old one goes from the
// home as well, and from the provider. That a home is missing is no trouble.
func TestRotationOnAServerWithAStack(t *testing.T) {
	t.Parallel()
	p := newPlayedBare(t)
	own, ok := p.machines.(*static.Provider)
	require.True(t, ok)
	entries := &cleaned{Provider: own, err: errors.New("the provider is on holiday")}
	p.machines = entries
	p.world = p.join(p.store, queuememory.New(queuememory.Config{})).installs()
	var mu sync.Mutex
	var edits []string
	p.command = func(e *sshtest.Exec) int {
		if !strings.Contains(e.Script, "user $name done") {
			return 0
		}
		mu.Lock()
		defer mu.Unlock()
		edits = append(edits, e.Args[0])
		if strings.Contains(e.Args[0], " home ") {
			_, _ = io.WriteString(e.Stdout, "user root done\nuser root failed 85 the home /root of root is missing\nend\n")
			return 85
		}
		return 0
	}
	defer p.start()()
	srv, a := p.create(func(o *forge.ServerOpts) { o.Address = "192.0.2.7" })
	_, err := p.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	before := p.read(srv.ID)
	a, err = p.Actions.Wait(t.Context(), p.rotate(forge.Selector{Servers: []string{srv.ID}}).ID)
	require.NoError(t, err)
	after := p.read(srv.ID)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{
		"user root root known\nadd " + after.PublicKey + " forge:control-" + srv.ID + "\n",
		"user root root known\nremove " + before.PublicKey + "\nuser root home known\nremove " + before.PublicKey + "\n",
	}, edits)
	require.Equal(t, []provider.Spec{{ID: srv.ID, AuthorizedKey: before.PublicKey}}, entries.specs)
	parts, err := p.Actions.List(t.Context(), forge.ActionFilter{Parent: a.ID}, forge.Page{})
	require.NoError(t, err)
	require.Contains(t, strings.Join(p.texts(parts[0].ID), "\n"), "stays at the provider: the provider is on holiday")
}

// One that is silent does not hold the others up, and keeps its key.
func TestRotationPastASilentServer(t *testing.T) {
	t.Parallel()
	fleet := fleettest.Start(t, 2)
	w := ownHosts(t, fleet, fleet.Signer)
	w.timeouts = map[forge.Kind]time.Duration{forge.KindRotateKey: 5 * time.Second}
	stop := w.start()
	silent, other := w.adopt(fleet.Hosts[0]), w.adopt(fleet.Hosts[1])
	stop()
	mend, err := fleet.Hosts[0].Break(t.Context(), sshfleet.Silence)
	require.NoError(t, err)
	w = w.join(w.store, queuememory.New(queuememory.Config{}))
	defer w.start()()
	a, err := w.Actions.Wait(t.Context(), w.rotate(forge.Selector{All: true}).ID)
	require.ErrorContains(t, err, "1 of 2 servers failed: "+silent.Name)
	require.Equal(t, 1, a.ChildrenFailed)
	require.NotEqual(t, other.PublicKey, w.read(other.ID).PublicKey)
	require.Equal(t, silent.PublicKey, w.read(silent.ID).PublicKey)
	require.NoError(t, mend())
	require.True(t, opens(t, fleet.Hosts[0], w.control(w.read(silent.ID))))
}

// A server that takes no new key keeps the old one, and the key that was made for it
// until it does.
func TestRotationThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	fleet := fleettest.Start(t, 1)
	h := fleet.Hosts[0]
	w := ownHosts(t, fleet, fleet.Signer)
	defer w.start()()
	srv := w.adopt(h)
	mend, err := h.Break(t.Context(), sshfleet.Fill)
	require.NoError(t, err)
	named := forge.Selector{Servers: []string{srv.ID}}
	failed, err := w.Actions.Wait(t.Context(), w.rotate(named).ID)
	require.ErrorContains(t, err, "space left")
	halfway := w.read(srv.ID)
	require.Equal(t, srv.PublicKey, halfway.PublicKey)
	require.NotEmpty(t, halfway.NextPublicKey)
	require.True(t, opens(t, h, w.control(halfway)))
	require.NoError(t, mend())
	again, err := w.Keys.Retry(t.Context(), failed.ID)
	require.NoError(t, err)
	_, err = w.Actions.Wait(t.Context(), again.ID)
	require.NoError(t, err)
	require.Equal(t, halfway.NextPublicKey, w.read(srv.ID).PublicKey)
	require.Equal(t, []string{halfway.NextPublicKey + " forge:control-" + srv.ID}, controlLines(t, h))
}

// mortalStore is that of a process that dies with one of its writes, which is
// committed or not.
type mortalStore struct {
	forge.Store
	commits bool
	left    atomic.Int64 // writes from now on; 0 for no end
	dead    atomic.Bool
	died    chan struct{}
}

var errDied = errors.New("the process has died")

func (s *mortalStore) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if s.dead.Load() {
		return errDied
	}
	if s.left.Add(-1) != 0 {
		return s.Store.Update(ctx, fn)
	}
	s.dead.Store(true)
	defer close(s.died)
	if s.commits {
		_ = s.Store.Update(ctx, fn)
	}
	return errDied
}

func (s *mortalStore) View(ctx context.Context, fn func(forge.Tx) error) error {
	if s.dead.Load() {
		return errDied
	}
	return s.Store.View(ctx, fn)
}

// A worker that dies at any of its writes leaves a record by which another goes
// on, and a server that forge gets in to.
func TestRotationIsGoneOnWith(t *testing.T) {
	t.Parallel()
	fleet := fleettest.Start(t, 2)
	for i, commits := range []bool{false, true} {
		t.Run(fmt.Sprintf("commits %v", commits), func(t *testing.T) {
			t.Parallel()
			w := ownHosts(t, fleet, fleet.Signer)
			stop := w.start()
			srv := w.adopt(fleet.Hosts[i])
			stop()
			w.lease = time.Second // the next worker does not have to wait for long
			writes := 1
			for w.diesInRotation(fleet.Hosts[i], srv, writes, commits) {
				writes++
				require.Less(t, writes, 30)
			}
			require.Greater(t, writes, 4, "the stages, the next key, the change, and the end")
		})
	}
}

// diesInRotation has a worker die in a rotation, and another go on. It reports
// whether the first one came to die.
func (w *world) diesInRotation(h *sshfleet.Host, srv *forge.Server, writes int, commits bool) (died bool) {
	w.t.Helper()
	before := w.read(srv.ID)
	a := w.rotate(forge.Selector{Servers: []string{srv.ID}})
	store := &mortalStore{Store: w.store, commits: commits, died: make(chan struct{})}
	dying := w.join(store, queuememory.New(queuememory.Config{}))
	dying.Wrap(forge.KindRotateKey, func(_ context.Context, _ forge.TestWork, work func() error) error {
		store.left.Store(int64(writes))
		return work()
	})
	stop := dying.start()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = w.Actions.Wait(w.t.Context(), a.ID)
	}()
	select {
	case <-store.died:
		died = true
	case <-ended:
	}
	between := w.read(srv.ID)
	require.True(w.t, opens(w.t, h, w.control(between)), "forge is never locked out")
	store.dead.Store(true)
	stop()

	next := w.join(w.store, queuememory.New(queuememory.Config{}))
	stop = next.start()
	<-ended
	stop()
	require.Equal(w.t, forge.ActionFinished, w.get(a.ID).Status)
	after := w.read(srv.ID)
	require.NotEqual(w.t, before.PublicKey, after.PublicKey)
	require.Equal(w.t, []string{after.PublicKey + " forge:control-" + srv.ID}, controlLines(w.t, h), writes)
	require.True(w.t, opens(w.t, h, w.control(after)))
	require.False(w.t, opens(w.t, h, w.control(before)))
	switch {
	case between.NextPublicKey != "":
		require.Equal(w.t, between.NextPublicKey, after.PublicKey, "the next key is used, not replaced")
	case between.PublicKey != before.PublicKey:
		require.Equal(w.t, between.PublicKey, after.PublicKey, "it is not rotated twice")
	}
	require.Empty(w.t, after.OldPublicKey)
	return died
}

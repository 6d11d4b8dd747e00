package faults

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// bound is how long a cell may take at most: what takes longer is stuck.
const bound = 3 * time.Minute

// world is a program that embeds forge, with a server that gets into trouble.
type world struct {
	*forge.Forge
	store   forge.Store
	cloud   *cloud
	server  *forge.Server
	machine *testmachine.Machine
	site    *forge.Site // whose deploy script waits at the gate
	missing bool        // some packages are, for those who install
	number  int         // of the last thing that was made
}

func newWorld(t *testing.T, f *fault) *world {
	t.Helper()
	w := &world{store: memory.New(memory.Config{}), cloud: newCloud(t, f.diskMiB), missing: f.missing}
	var logger *slog.Logger
	if testing.Verbose() {
		logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	var err error
	w.Forge, err = forge.New(forge.Config{
		Store: w.store, Providers: map[string]provider.Provider{"local": w.cloud}, Timeouts: f.timeouts,
		SSH: sshexec.PoolConfig{Keepalive: 3 * time.Second}, Logger: logger,
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	worked := make(chan error, 1)
	go func() { worked <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-worked)
		require.NoError(t, w.Close())
		machines, err := w.cloud.List(context.WithoutCancel(ctx))
		require.NoError(t, err)
		for _, m := range machines { // also what was lost behind forge's back
			if m.Labels[worldLabel] == w.label() {
				require.NoError(t, w.cloud.Provider.Delete(context.WithoutCancel(ctx), m.ID))
			}
		}
	})
	return w
}

const worldLabel = "faults-world"

func (w *world) label() string { return fmt.Sprintf("%p", w) }

// name returns another one at each call.
func (w *world) name(what string) string {
	w.number++
	return fmt.Sprintf("%s-%d", what, w.number)
}

// create asks for a server. Its install waits at the gate, if that is armed.
func (w *world) create(t *testing.T) *forge.Action {
	t.Helper()
	labels := testmachine.Labels()
	labels[worldLabel] = w.label()
	srv, action, err := w.Servers.Create(t.Context(), forge.ServerOpts{
		Name: w.name("server"), Provider: "local", Image: testmachine.Image(), Labels: labels,
		Stack: forge.Stack{PHP: []string{php()}, After: []forge.Step{{Name: "gate", Script: "gate"}}},
	})
	require.NoError(t, err)
	w.server = srv
	return action
}

// ready makes the server one that works, by another try or another server.
func (w *world) ready(t *testing.T) {
	t.Helper()
	srv, err := w.Servers.Get(t.Context(), w.server.ID)
	require.NoError(t, err)
	if srv.Status == forge.ServerError {
		action, err := w.Servers.Retry(t.Context(), srv.ID)
		w.finish(t, action, err)
	}
	w.renew(t)
}

// renew reads the server again and makes what the jobs work with.
func (w *world) renew(t *testing.T) {
	t.Helper()
	var err error
	w.server, err = w.Servers.Get(t.Context(), w.server.ID)
	require.NoError(t, err)
	require.Equal(t, forge.ServerActive, w.server.Status)
	m, err := w.cloud.Get(t.Context(), w.server.ProviderID)
	require.NoError(t, err)
	w.setMachine(t, m)
	w.site = w.newSite(t, "gate")
}

// setMachine notes the machine that gets into trouble, once it is up.
func (w *world) setMachine(t *testing.T, m *provider.Machine) {
	t.Helper()
	w.machine = testmachine.Of(m)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	require.Eventually(t, func() bool { // its first process comes a little later than the machine
		_, err := w.machine.TryInside(ctx, `until [[ $(systemctl is-system-running 2>/dev/null) =~ ^(running|degraded)$ ]] &&
	systemctl is-active --quiet ssh; do sleep 0.05; done`)
		return err == nil
	}, bound, 10*time.Millisecond)
}

func (w *world) newSite(t *testing.T, script string) *forge.Site {
	t.Helper()
	site, action, err := w.Sites.Create(t.Context(), w.server.ID, forge.SiteOpts{
		Domain: w.name("site") + ".example.org", Kind: forge.StaticSite, DeployScript: script,
	})
	w.finish(t, action, err)
	return site
}

// finish waits for an action that has to end well.
func (w *world) finish(t *testing.T, action *forge.Action, err error) {
	t.Helper()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	if _, err = w.Actions.Wait(ctx, action.ID); err != nil {
		t.Fatalf("%v\n%s", err, w.log(t, action.ID))
	}
}

func (w *world) log(t *testing.T, action string) string {
	t.Helper()
	var log strings.Builder
	for line, err := range w.Actions.Log(context.WithoutCancel(t.Context()), action, 0, 0) {
		require.NoError(t, err)
		log.WriteString(line.Printable() + "\n")
	}
	return log.String()
}

// part returns the part of a kind that an action has, or the action.
func (w *world) part(t *testing.T, a *forge.Action, kind forge.Kind) *forge.Action {
	t.Helper()
	if a.Kind == kind {
		return a
	}
	parts, err := w.Actions.List(t.Context(), forge.ActionFilter{Parent: a.ID, Kind: kind}, forge.Page{})
	require.NoError(t, err)
	require.Len(t, parts, 1)
	return parts[0]
}

// update changes the records behind forge's back.
func (w *world) update(t *testing.T, fn func(forge.Tx) error) {
	t.Helper()
	require.NoError(t, w.store.Update(t.Context(), fn))
}

// arm has the next command of a name wait at its gate.
func (w *world) arm(t *testing.T, name string) {
	t.Helper()
	w.machine.Inside(t, `mkdir -p /run/gate
chmod 0777 /run/gate
cd /run/gate
rm -f -- *
mkfifo reached go
chmod 0666 reached go
touch -- "$1"`, name)
}

// held waits until the command is at its gate.
func (w *world) held(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	_, err := w.machine.TryInside(ctx, "read -r _ </run/gate/reached")
	require.NoError(t, err, "nothing came to the gate")
}

// open lets the command through, or tells it to do something else.
func (w *world) open(t *testing.T, word string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	require.NoError(t, w.tell(ctx, word))
}

// tell waits until somebody is at the gate who listens.
func (w *world) tell(ctx context.Context, word string) error {
	_, err := w.machine.TryInside(ctx, `echo "$1" >/run/gate/go`, word)
	return err
}

// ended waits for the end of an action, whatever it is.
func (w *world) ended(ctx context.Context, id string) (*forge.Action, error) {
	a, err := w.Actions.Wait(ctx, id)
	var failed *forge.ActionError
	if errors.As(err, &failed) {
		return failed.Action, nil
	}
	return a, err
}

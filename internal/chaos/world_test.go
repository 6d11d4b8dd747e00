package chaos

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/internal/servertest"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

//go:embed deploy.sh
var deployScript string

// world is the program that asks, and works on nothing itself.
type world struct {
	*opened
	id       string
	settings settings
	cloud    *cloud
	machines *nspawn.Provider
	log      *journal // of all workers
	number   atomic.Int64
	killed   int // workers, so far
}

// worldLabel marks the machines of one world.
const worldLabel = "chaos-world"

// inSQLite keeps the records in a file.
func inSQLite(t *testing.T) settings {
	return settings{File: filepath.Join(t.TempDir(), "forge.db")}
}

// inPostgres keeps the records and the queue in PostgreSQL.
func inPostgres(t *testing.T) settings {
	url, schema := pgtest.Schema(t)
	_, river := pgtest.Schema(t)
	return settings{URL: url, Schema: schema, River: river}
}

// newWorld makes a world whose cloud has so many faults for each machine at most.
// Where it has machines of this host, these are ones with the stack installed.
func newWorld(t *testing.T, s settings, faults int, machines bool) *world {
	t.Helper()
	w := &world{id: uuid.NewString(), cloud: newCloud(t, *seed, faults), log: newJournal()}
	if machines {
		s.Images = servertest.Installed(t)
		w.machines = testmachine.Provider(t, nspawn.Config{Images: s.Images})
	}
	s.Cloud, s.Keyset = w.cloud.socket, filepath.Join(t.TempDir(), "keyset")
	keys, err := tink.New()
	require.NoError(t, err)
	require.NoError(t, keys.Save(s.Keyset))
	w.settings = s
	w.opened, err = s.open(t.Context(), slog.New(slog.NewTextHandler(w.log, nil)).With("worker", "none"), true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.close()) })
	t.Cleanup(func() { w.removeMachines(t) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("the last words of the workers:\n" + w.log.tail(200))
		}
	})
	return w
}

// own are the machines of this world on this host.
func (w *world) own(ctx context.Context) (own []*provider.Machine, err error) {
	if w.machines == nil {
		return nil, nil
	}
	all, err := w.machines.List(ctx)
	for _, m := range all {
		if m.Labels[worldLabel] == w.id {
			own = append(own, m)
		}
	}
	return own, err
}

func (w *world) removeMachines(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	own, err := w.own(ctx)
	require.NoError(t, err)
	for _, m := range own {
		require.NoError(t, w.machines.Delete(ctx, m.ID))
	}
}

// start starts a worker, which does not outlive the test.
func (w *world) start(t *testing.T, name string, change ...func(*settings)) *process {
	t.Helper()
	s := w.settings
	s.Worker = name
	for _, fn := range change {
		fn(&s)
	}
	p, err := s.start(w.log)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.kill() })
	return p
}

// name is another one at each call.
func (w *world) name(what string) string { return what + "-" + strconv.FormatInt(w.number.Add(1), 10) }

// createServer asks for a machine on this host.
func (w *world) createServer(ctx context.Context) (*forge.Server, *forge.Action, error) {
	labels := testmachine.Labels()
	labels[worldLabel] = w.id
	return w.Servers.Create(ctx, forge.ServerOpts{
		Name: w.name("server"), Provider: "local", Image: testmachine.Image(), Labels: labels,
	})
}

// prepare makes the file that deployments say in that they ran.
func (w *world) prepare(ctx context.Context, srv *forge.Server) (*testmachine.Machine, error) {
	m, err := w.machines.Get(ctx, srv.ProviderID)
	if err != nil {
		return nil, err
	}
	machine := testmachine.Of(m)
	_, err = machine.TryInside(ctx, "install -m 0666 /dev/null /srv/ran")
	return machine, err
}

// server is a machine that is ready for sites.
func (w *world) server(t *testing.T) (*forge.Server, *testmachine.Machine) {
	t.Helper()
	srv, action, err := w.createServer(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.finish(t.Context(), action, nil))
	srv, err = w.Servers.Get(t.Context(), srv.ID)
	require.NoError(t, err)
	machine, err := w.prepare(t.Context(), srv)
	require.NoError(t, err)
	return srv, machine
}

// createSite asks for a site whose deployments print so many lines.
func (w *world) createSite(ctx context.Context, srv *forge.Server, lines int) (*forge.Site, *forge.Action, error) {
	return w.Sites.Create(ctx, srv.ID, forge.SiteOpts{
		Domain: w.name("site") + ".example.org", Kind: forge.StaticSite,
		DeployScript: strings.ReplaceAll(deployScript, "LINES", strconv.Itoa(lines)),
	})
}

// patience is how long anything may take that is asked for.
const patience = 4 * time.Minute

// finish waits for an action, which has to end well.
func (w *world) finish(ctx context.Context, action *forge.Action, err error) error {
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = insist(ctx, func() error {
		_, err := w.Actions.Wait(ctx, action.ID)
		return err
	})
	if err == nil {
		return nil
	}
	now, getErr := w.Actions.Get(context.WithoutCancel(ctx), action.ID)
	return errors.Join(fmt.Errorf("%s %s: %w", action.Kind, action.ID, err), getErr, describe(now))
}

// insist calls fn until the store answers.
func insist(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		var ended *forge.ActionError // whatever it is an error of, it was answered
		if !errors.Is(err, forge.ErrUnavailable) || errors.As(err, &ended) {
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond): // nobody says when it is back
		case <-ctx.Done():
			return err
		}
	}
}

func describe(a *forge.Action) error {
	if a == nil {
		return nil
	}
	return fmt.Errorf("it is %s, attempt %d, epoch %d, stage %q, waiting %q, hand-outs %d, failure %+v",
		a.Status, a.Attempt, a.Epoch, a.Stage, a.Waiting, a.Handouts, a.Failure)
}

// runOf is the name that a deployment of an action leaves on the server.
func runOf(a *forge.Action) string { return fmt.Sprintf("%s-%d", a.ID, a.Attempt) }

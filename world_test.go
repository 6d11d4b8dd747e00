package forge_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// world is a Forge with a fake cloud, whose records tests put there by hand.
type world struct {
	*engine
	queue  *recorder
	cloud  *providertest.Fake
	sealer secret.Sealer
	// machines are those of the cloud, unless a test puts something before it.
	machines provider.Provider
	maxLog   int64 // 0 for the default
	timeouts map[forge.Kind]time.Duration
	lease    time.Duration // 0 for the default
}

func newWorld(t *testing.T, store forge.Store, q queue.Queue, cfg providertest.FakeConfig) *world {
	w := &world{engine: &engine{t: t}, cloud: providertest.NewFake(cfg), sealer: secret.NewEphemeral()}
	w.machines = w.cloud
	return w.join(store, q)
}

// join is another process with the same cloud.
func (w *world) join(store forge.Store, q queue.Queue) *world {
	other := &world{queue: &recorder{Queue: q}, cloud: w.cloud, sealer: w.sealer, machines: w.machines, maxLog: w.maxLog, timeouts: w.timeouts, lease: w.lease}
	f, err := forge.New(forge.Config{Store: store, Queue: other.queue, Sealer: w.sealer, MaxLog: w.maxLog, Timeouts: w.timeouts, Lease: w.lease,
		Providers: map[string]provider.Provider{"cloud": w.machines}})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, f.Close()) })
	other.engine = &engine{Forge: f, t: w.t, store: store}
	return other
}

// idle is a world where nobody works.
func idle(t *testing.T) *world {
	return newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{})
}

// recorder keeps the wake-ups that pass.
type recorder struct {
	queue.Queue
	mu   sync.Mutex
	jobs []queue.Job
}

func (r *recorder) Enqueue(ctx context.Context, jobs ...queue.Job) error {
	r.mu.Lock()
	r.jobs = append(r.jobs, jobs...)
	r.mu.Unlock()
	return r.Queue.Enqueue(ctx, jobs...)
}

func (r *recorder) sent() []queue.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.jobs)
}

// contents is all that a store holds, and all that was sent.
type contents struct {
	Servers     []*forge.Server
	Sites       []*forge.Site
	Keys        []*forge.Key
	Grants      []*forge.Grant
	Deployments []*forge.Deployment
	Actions     []*forge.Action
	Locks       []*forge.Lock
	Deliveries  []*forge.Delivery
	LastEvent   int64
	Jobs        []queue.Job
	Calls       []providertest.Call
}

func (w *world) contents() (c contents) {
	w.t.Helper()
	page := forge.Page{Limit: forge.MaxPage}
	require.NoError(w.t, w.store.View(w.t.Context(), func(tx forge.Tx) error {
		var errs [9]error
		c.Servers, errs[0] = tx.Servers().List(forge.ServerFilter{}, page)
		c.Sites, errs[1] = tx.Sites().List(forge.SiteFilter{}, page)
		c.Keys, errs[2] = tx.Keys().List(forge.KeyFilter{}, page)
		c.Grants, errs[3] = tx.Grants().List(forge.GrantFilter{}, page)
		c.Deployments, errs[4] = tx.Deployments().List(forge.DeploymentFilter{}, page)
		c.Actions, errs[5] = tx.Actions().List(forge.ActionFilter{}, page)
		c.Locks, errs[6] = tx.Locks().List(forge.LockFilter{}, page)
		c.LastEvent, errs[7] = tx.LastEvent()
		c.Deliveries, errs[8] = tx.Deliveries().List(forge.DeliveryFilter{}, page)
		return errors.Join(errs[:]...)
	}))
	c.Jobs, c.Calls = w.queue.sent(), w.cloud.Calls()
	return c
}

// put stores a record as it is.
func (w *world) put(insert func(tx forge.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.store.Update(w.t.Context(), insert))
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

// addServer puts an active server there.
func (w *world) addServer(owner string, edit ...func(*forge.Server)) *forge.Server {
	srv := &forge.Server{ID: newID(), Owner: owner, Provider: "cloud", Image: "debian-12",
		Status: forge.ServerActive, Address: "198.18.0.1", Port: 22, User: "root",
		Stack: forge.Stack{PHP: []string{"8.2"}}}
	srv.Name = "web-" + srv.ID
	for _, fn := range edit {
		fn(srv)
	}
	w.put(func(tx forge.Tx) error { return tx.Servers().Insert(srv) })
	return srv
}

// addSite puts an installed site there.
func (w *world) addSite(srv *forge.Server, domain string, edit ...func(*forge.Site)) *forge.Site {
	site := &forge.Site{ID: newID(), Owner: srv.Owner, Server: srv.ID, Kind: forge.PHPSite, Domain: domain,
		WebDirectory: "/public", PHPVersion: "8.2", Directory: domain, Branch: "main",
		Repository: "https://example.com/app.git", Status: forge.SiteInstalled}
	site.User = "site-" + site.ID[len(site.ID)-12:]
	for _, fn := range edit {
		fn(site)
	}
	w.put(func(tx forge.Tx) error { return tx.Sites().Insert(site) })
	return site
}

const (
	keyLine   = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
	otherLine = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILKX/A5eeqWbAzHtBTAGhwyMIIhgFHFvRbQR9GcyeLp7"
)

func (w *world) addKey(owner string) *forge.Key {
	f := w.Forge
	if owner != "" {
		f = f.For(owner)
	}
	key, err := f.Keys.Add(w.t.Context(), forge.KeyOpts{Name: "laptop", Public: keyLine})
	require.NoError(w.t, err)
	return key
}

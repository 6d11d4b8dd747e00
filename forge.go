package forge

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/seed-797f2c2c/forge/internal/keysource"
	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/queue"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// Config is what a Forge is made of.
type Config struct {
	// Store keeps the records. Required.
	Store Store
	// Queue carries the wake-ups. Defaults to a queue in memory, which is
	// right where one process both asks and works.
	Queue queue.Queue
	// Providers make the machines, by the names used in ServerOpts.Provider.
	Providers map[string]provider.Provider
	// Sealer seals private keys and passwords before they reach the store; a
	// keyset of secret/tink can be rotated. Defaults to a key that is made now
	// and lost with the process, which is right for a store in memory alone.
	Sealer secret.Sealer
	// Pools says how many jobs of each pool this process works on at once, 0
	// for none. A pool that is not named has its default: provision 3, deploy
	// 5, ssh 8, default 2.
	Pools queue.Pools
	// Timeouts replaces the time that one attempt of a kind may take.
	// Defaults to those of the job catalogue.
	Timeouts map[Kind]time.Duration
	// Lease is how long a worker that falls silent keeps its work. Defaults
	// to 15 s.
	Lease time.Duration
	// MaxLog bounds the text that is stored of one action's log, in bytes; the
	// run goes on beyond it. Defaults to 256 MiB.
	MaxLog int64
	// Retention says what is removed when it is old enough. Defaults to
	// nothing.
	Retention Retention
	// SSH configures the connections to servers.
	SSH sshexec.PoolConfig
	// Authorize is asked before each call of a service, reads too, and what it
	// returns is returned in an error of class ErrDenied, or as it is where it is an
	// *Error. Calls of webhooks, which show a site's secret instead, and the work
	// itself are not asked for. It adds to the owners of For, which hold in any
	// case. Defaults to allowing all.
	Authorize func(context.Context, Access) error
	// Observe is told what metrics and traces are made of; see package
	// observe/otel. It is called where that happens, from many goroutines, and
	// has to return at once.
	Observe func(Observation)
	// Logger receives what an operator should see. Defaults to no log.
	Logger *slog.Logger
}

// Forge is the entrance to its services. It is safe for concurrent use.
type Forge struct {
	Servers     *Servers
	Sites       *Sites
	Keys        *Keys
	Deployments *Deployments
	Actions     *Actions
	Hooks       *Hooks

	core   *core
	scoped bool // sees the records of owner alone
	owner  string
	actor  string
	asked  bool // Config.Authorize has allowed what this one is for
}

// core is what all scopes of a Forge share.
type core struct {
	Config
	worker  string // names this process as a holder of leases
	version int    // of the actions that this process writes, and the newest that it reads
	jobs    map[Kind]job
	hub     *hub
	pool    *sshexec.Pool
	held    *held
	dials   *dials
	source  keysource.Source // where keys are imported from
}

// New makes a Forge. It does no I/O.
func New(cfg Config) (*Forge, error) {
	if cfg.Store == nil {
		return nil, invalid("store", "is required")
	}
	if err := cfg.Retention.check(); err != nil {
		return nil, err
	}
	if cfg.Sealer == nil {
		cfg.Sealer = secret.NewEphemeral()
	}
	pools, err := cfg.pools()
	if err != nil {
		return nil, err
	}
	cfg.Pools = pools
	if cfg.Lease <= 0 {
		cfg.Lease = 15 * time.Second
	}
	if cfg.MaxLog <= 0 {
		cfg.MaxLog = 256 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Queue == nil {
		cfg.Queue = queuememory.New(queuememory.Config{Logger: cfg.Logger})
	}
	cfg.SSH.Dialled = cfg.dialled()
	c := &core{
		Config:  cfg,
		worker:  uuid.NewString(),
		version: actionVersion,
		hub:     newHub(cfg.Store),
		pool:    sshexec.NewPool(cfg.SSH),
		held:    newHeld(),
		dials:   newDials(),
	}
	c.jobs = c.catalogue()
	return newScope(&Forge{core: c}), nil
}

// pools are those of the config with the defaults for those not named.
func (cfg Config) pools() (queue.Pools, error) {
	pools := queue.Pools{poolProvision: 3, poolDeploy: 5, poolSSH: 8, poolKeys: 64, poolDefault: 2}
	for name, n := range cfg.Pools {
		if _, known := pools[name]; !known {
			return nil, invalid("pools", "%q is not one of %v", name, slices.Sorted(maps.Keys(pools)))
		}
		if n < 0 {
			return nil, invalid("pools", "%q must not be negative", name)
		}
		pools[name] = n
	}
	return pools, nil
}

// newScope gives a Forge its services.
func newScope(f *Forge) *Forge {
	f.Servers = &Servers{f}
	f.Sites = &Sites{f}
	f.Keys = &Keys{f}
	f.Deployments = &Deployments{f}
	f.Actions = &Actions{f}
	f.Hooks = &Hooks{f}
	return f
}

// For returns a Forge that sees and touches only the records of one owner, and
// makes new ones for it. The Forge of New sees those of all owners, and makes
// new ones without an owner. With an empty owner, For returns a Forge that
// sees nothing and makes nothing.
func (f *Forge) For(owner string) *Forge {
	return newScope(&Forge{core: f.core, scoped: true, owner: owner, actor: f.actor})
}

// As returns a Forge whose actions bear the name of who asked for them.
func (f *Forge) As(actor string) *Forge {
	return newScope(&Forge{core: f.core, scoped: f.scoped, owner: f.owner, actor: actor})
}

// Run works on jobs until ctx is done, and then hands back what it has not
// finished. It works in the pools named, or in all of Config.Pools. What runs
// detached on servers goes on, and whoever works next attaches to it. It does
// nothing where CheckSealer says that Config.Sealer is not the right one.
func (f *Forge) Run(ctx context.Context, pools ...string) error {
	chosen := f.core.Pools
	if len(pools) > 0 {
		chosen = queue.Pools{}
		for _, name := range pools {
			n, ok := f.core.Pools[name]
			if !ok {
				return invalid("pools", "%q is not one of Config.Pools", name)
			}
			chosen[name] = n
		}
	}
	return f.core.run(ctx, chosen)
}

// Connections counts the connections to servers that this process holds now.
func (f *Forge) Connections() sshexec.PoolStats { return f.core.pool.Stats() }

// Close closes the connections to servers and ends what still waits or follows.
// Call it when Run has returned.
func (f *Forge) Close() error {
	f.core.hub.close()
	err := f.core.pool.Close()
	f.core.dials.tasks.Wait()
	return err
}

// sees reports whether the scope may see a record of this owner.
func (f *Forge) sees(owner string) bool { return !f.scoped || f.owner != "" && f.owner == owner }

// narrow makes a filter's owner that of the scope, and reports whether there is
// nothing that the scope can see.
func (f *Forge) narrow(owner *string) (nothing bool) {
	if f.scoped {
		*owner = f.owner
	}
	return f.scoped && f.owner == ""
}

// checkOwner refuses to make records for what is no owner.
func (f *Forge) checkOwner() error {
	if !f.scoped {
		return nil
	}
	_, err := validate.Owner("owner", f.owner)
	return asInvalid(err)
}

// madeBefore is what just this owner made with an idempotency key before, or
// nil: a filter without an owner finds the records of all.
func madeBefore[T, F any](table Table[T, F], key string, filter F, owner string, ownerOf func(*T) string) (*T, error) {
	if key == "" {
		return nil, nil
	}
	found, err := table.List(filter, Page{Limit: MaxPage})
	if err != nil {
		return nil, err
	}
	for _, r := range found {
		if ownerOf(r) == owner {
			return r, nil
		}
	}
	return nil, nil
}

// scoped is a record's own error where the scope sees it, and otherwise that
// of a record which does not exist.
func scoped[T any](f *Forge, what, id string, r *T, owner func(*T) string, err error) (*T, error) {
	if errors.Is(err, ErrNotFound) || err == nil && !f.sees(owner(r)) {
		return nil, notFound(what, id)
	}
	return r, err
}

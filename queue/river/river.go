// Package river is a [queue.Queue] on PostgreSQL, by River. Workers may be in
// any number of processes, and what waits outlives them all.
//
// It needs PostgreSQL 13 or newer, a pool of connections of pgx, and its tables,
// which [Queue.Migrate] makes in a schema of their own. While Run goes on, one
// connection of the pool listens for wake-ups, and one at least has to be free
// for the rest. Behind PgBouncer, which cannot listen, Config.PollOnly looks for
// them instead; there pgx may have to be told not to prepare statements, by
// ConnConfig.DefaultQueryExecMode.
//
// In River's tables and tools every job is of the kind "forge". The queue is the
// job's pool, a tag its own kind, and the arguments say everything of it. No
// other River client should use the same schema: one that does not know the kind
// discards jobs of it. A job is tried once. When its process dies it stays
// "running" until Config.Timeout is over, in nobody's way but that of its own ID:
// who hands the work out again gives it another one.
package river

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/seed-797f2c2c/forge/queue"
)

// Config configures a Queue. Only Pool is required.
type Config struct {
	// Pool connects to the database. It is required, has room for two
	// connections at least, and stays the caller's.
	Pool *pgxpool.Pool
	// Schema is where the tables are: lower case letters, digits and
	// underscores, at most 40. Defaults to "forge".
	Schema string
	// DrainTimeout is how long Run lets jobs go on after its context is done,
	// before it cancels theirs. Less than zero cancels them at once.
	// Defaults to 10 s.
	DrainTimeout time.Duration
	// Timeout is how long a job may run before its context is cancelled. It is
	// not what ends work that takes too long, but what clears away the jobs of
	// processes that died, so it has to be longer than any work. What is
	// cancelled by it is not run again. Defaults to 6 hours.
	Timeout time.Duration
	// PollInterval is how often Run looks for jobs that it was not told of: how
	// late one with a RunAt may come, and with PollOnly any. Defaults to 1 s.
	PollInterval time.Duration
	// PollOnly does without LISTEN.
	PollOnly bool
	// Logger hears of handlers that fail or panic, and of River's warnings.
	// Defaults to slog.Default.
	Logger *slog.Logger
}

// Queue is a queue.Queue in a database. It holds nothing that has to be closed.
type Queue struct {
	cfg    Config
	driver *riverpgxv5.Driver
}

var _ queue.Queue = (*Queue)(nil)

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// New returns a Queue on tables that Migrate has made. It does no I/O.
func New(cfg Config) (*Queue, error) {
	if cfg.Schema == "" {
		cfg.Schema = "forge"
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 10 * time.Second
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 6 * time.Hour
	}
	if cfg.PollInterval == 0 {
		cfg.PollInterval = time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	switch {
	case cfg.Pool == nil:
		return nil, errors.New("river: Config.Pool is required")
	case cfg.Pool.Config().MaxConns < 2:
		return nil, errors.New("river: Config.Pool must have room for two connections, as one of them listens")
	case !schemaName.MatchString(cfg.Schema):
		return nil, fmt.Errorf("river: Config.Schema %q must be of lower case letters, digits and underscores, at most 40",
			cfg.Schema)
	case cfg.Timeout < 0:
		return nil, errors.New("river: Config.Timeout must not be negative: a job without one is never cleared away")
	case cfg.PollInterval < fetchCooldown:
		return nil, fmt.Errorf("river: Config.PollInterval must be %v at least", fetchCooldown)
	}
	return &Queue{cfg: cfg, driver: riverpgxv5.New(cfg.Pool)}, nil
}

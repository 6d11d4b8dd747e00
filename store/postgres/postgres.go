// Package postgres keeps forge's records in PostgreSQL, 13 or newer, in a schema
// of its own beside the embedder's tables.
//
// Updates are serializable: one that met another is tried again, so that the
// function given to Update may run more than once. The sequences of events
// follow the order of the commits. An error of the class forge.ErrUnavailable is
// one of forge.ErrUnknown too when the connection broke at the commit.
package postgres

import (
	"context"
	"hash/fnv"
	"iter"
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

// Config has the settings of a Store.
type Config struct {
	// Pool connects to the database. It is required, and stays the caller's. A
	// transaction takes one of its connections. Wait takes one out of it, to
	// listen on until Close.
	Pool *pgxpool.Pool
	// Schema is where the tables are: lower case letters, digits and
	// underscores, at most 40. Defaults to "forge".
	Schema string
	// PollOnly looks for new events every second, instead of listening on a
	// connection, which is not possible behind PgBouncer.
	PollOnly bool
}

// Store is a forge.Store and a forge.Notifier. It is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	schema string
	// eventLock is the key of the advisory lock that who commits events holds,
	// so that no lower sequence is committed after a higher one.
	eventLock int64
	dialect   sqlstore.Dialect
	listener  *listener
}

var (
	_ forge.Store    = (*Store)(nil)
	_ forge.Notifier = (*Store)(nil)
)

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// New returns a Store on tables that Migrate has made. It does no I/O. Close
// ends it.
func New(c Config) (*Store, error) {
	if c.Pool == nil {
		return nil, &forge.Error{Class: forge.ErrInvalid, Field: "Pool", Rule: "is required"}
	}
	if c.Schema == "" {
		c.Schema = "forge"
	}
	if !schemaName.MatchString(c.Schema) {
		return nil, &forge.Error{Class: forge.ErrInvalid, Field: "Schema",
			Rule: "must be of lower case letters, digits and underscores, at most 40"}
	}
	s := &Store{pool: c.Pool, schema: c.Schema, eventLock: lockKey("events", c.Schema)}
	s.listener = newListener(s, c.PollOnly)
	s.dialect = sqlstore.Dialect{
		Prefix: pgx.Identifier{c.Schema}.Sanitize() + ".", Numbered: true,
		HasLabel: `"labels" @> jsonb_build_object(?::text, ?::text)`, Conflict: conflict,
	}
	return s, nil
}

// Close ends what listens for events. Those who Wait then get an error of class
// forge.ErrState. The pool stays open.
func (s *Store) Close() error {
	s.listener.close()
	return nil
}

// lockKey is the key of an advisory lock, which all that share a database share.
func lockKey(what, schema string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("forge " + what + " " + schema))
	return int64(h.Sum64()) //nolint:gosec // its bits
}

// Log yields the stored lines of an action from a line number on. It reads them
// piece by piece, and holds no connection in between.
func (s *Store) Log(ctx context.Context, actionID string, from int64) iter.Seq2[forge.Line, error] {
	return s.dialect.Log(ctx, s.query, actionID, from)
}

// query executes a query outside of a transaction.
func (s *Store) query(ctx context.Context, stmt sqlstore.Stmt, row func(scan func(...any) error) error) error {
	c, err := connect(ctx, s.pool, "")
	if err != nil {
		return err
	}
	defer c.release()
	return c.Query(ctx, stmt, row)
}

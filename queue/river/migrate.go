package river

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivermigrate"
)

// Migrate makes the schema and River's tables in it, or brings those of an older
// version up to date. Several processes may call it at once. It takes two
// connections of the pool.
func (q *Queue) Migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(q.driver, &rivermigrate.Config{Schema: q.cfg.Schema, Logger: q.logger()})
	if err != nil {
		return fmt.Errorf("migrate the schema %s: %w", q.cfg.Schema, err)
	}
	// River does not keep those out who migrate at the same time. The lock ends
	// with its transaction, as PgBouncer knows no longer one.
	err = pgx.BeginFunc(ctx, q.cfg.Pool, func(lock pgx.Tx) error {
		if _, err := lock.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", lockKey(q.cfg.Schema)); err != nil {
			return err
		}
		if err := q.createSchema(ctx); err != nil {
			return err
		}
		_, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrate the schema %s: %w", q.cfg.Schema, err)
	}
	return nil
}

// createSchema makes the schema, unless it is there: who may make none is refused
// even so, and a store that shares it may do it at the same moment.
func (q *Queue) createSchema(ctx context.Context) error {
	if _, err := q.cfg.Pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{q.cfg.Schema}.Sanitize()); err != nil {
		var exists bool
		const look = `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`
		if e := q.cfg.Pool.QueryRow(ctx, look, q.cfg.Schema).Scan(&exists); e != nil || !exists {
			return err
		}
	}
	return nil
}

// lockKey is the key of an advisory lock, which all that share a database share.
func lockKey(schema string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("forge queue " + schema))
	return int64(h.Sum64()) //nolint:gosec // its bits
}

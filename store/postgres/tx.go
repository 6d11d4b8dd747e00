package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

// Codes of errors, see the appendix of PostgreSQL's manual.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
)

const (
	beginView   = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginUpdate = "BEGIN ISOLATION LEVEL SERIALIZABLE"
)

// rollbackTimeout bounds the end of a transaction whose context has ended.
const rollbackTimeout = 5 * time.Second

// View calls fn with a snapshot of the store.
func (s *Store) View(ctx context.Context, fn func(forge.Tx) error) error {
	return unavailable(ctx, s.try(ctx, beginView, fn))
}

// Update calls fn in a serializable transaction and commits it. It does so again
// when the transaction met another one.
func (s *Store) Update(ctx context.Context, fn func(forge.Tx) error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = time.Millisecond, 100*time.Millisecond, 2
	for {
		err := s.try(ctx, beginUpdate, fn)
		if !again(err) {
			return unavailable(ctx, err)
		}
		wait := time.NewTimer(pause.NextBackOff())
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

// again reports whether the same transaction may succeed at another try. Of two
// that append to a log at once, the second finds its chunk there before it sees
// that the cursor has moved.
func again(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == serializationFailure || pg.Code == deadlockDetected ||
		pg.Code == uniqueViolation && pg.ConstraintName == "log_chunks_pkey"
}

// try calls fn in one transaction. What fails in the database is returned in
// place of what fn makes of it.
func (s *Store) try(ctx context.Context, begin string, fn func(forge.Tx) error) (err error) {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	committed := false
	defer func() {
		if !committed {
			rollback(c) //nolint:contextcheck // also when the context has ended
		}
	}()
	now, err := beginTx(ctx, c, begin)
	if err != nil {
		return err
	}
	t := sqlstore.NewTx(ctx, &s.dialect, conn{c}, now, begin == beginUpdate)
	err = fn(t)
	if broken := t.Err(); broken != nil {
		err = broken
	}
	t.End()
	if err != nil {
		return err
	}
	if err := s.commit(ctx, conn{c}, t); err != nil {
		return err
	}
	committed = true
	return nil
}

// beginTx begins a transaction and reads the clock, in one round trip.
func beginTx(ctx context.Context, c *pgxpool.Conn, begin string) (now time.Time, err error) {
	b := &pgx.Batch{}
	b.Queue(begin)
	b.Queue("SELECT clock_timestamp()").QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err = c.SendBatch(ctx, b).Close()
	return now, err
}

// commit commits the transaction and its events, in one round trip.
func (s *Store) commit(ctx context.Context, c conn, t *sqlstore.Tx) error {
	events := t.Emitted(`nextval('` + s.dialect.Prefix + `events_seq')`)
	var stmts []sqlstore.Stmt
	if len(events) > 0 {
		stmts = append(stmts, sqlstore.Stmt{SQL: "SELECT pg_advisory_xact_lock($1)", Args: []any{s.eventLock}})
		stmts = append(stmts, events...)
		stmts = append(stmts, sqlstore.Stmt{SQL: "SELECT pg_notify($1, '')", Args: []any{s.channel()}})
	}
	b := &pgx.Batch{}
	for _, stmt := range stmts {
		b.Queue(stmt.SQL, stmt.Args...)
	}
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() != "COMMIT" {
			return fmt.Errorf("the database answered a commit with %s", tag)
		}
		return nil
	})
	return c.SendBatch(ctx, b).Close()
}

// rollback ends a transaction, if there is one. A connection on which that fails
// is closed by its pool.
func rollback(c *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if !c.Conn().IsClosed() && c.Conn().PgConn().TxStatus() != 'I' {
		_, _ = c.Exec(ctx, "ROLLBACK")
	}
}

// conn executes the statements of a transaction.
type conn struct{ *pgxpool.Conn }

func (c conn) Exec(ctx context.Context, stmts ...sqlstore.Stmt) ([]int64, error) {
	counts := make([]int64, len(stmts))
	b := &pgx.Batch{}
	for i, stmt := range stmts {
		b.Queue(stmt.SQL, stmt.Args...).Exec(func(tag pgconn.CommandTag) error {
			counts[i] = tag.RowsAffected()
			return nil
		})
	}
	return counts, c.SendBatch(ctx, b).Close()
}

func (c conn) Query(ctx context.Context, stmt sqlstore.Stmt, row func(scan func(...any) error) error) error {
	rows, err := c.Conn.Query(ctx, stmt.SQL, stmt.Args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fields are what the unique indexes are about. Every index that can be violated
// is here.
var fields = map[string]string{ //nolint:gochecknoglobals // a constant
	"servers_pkey": "id", "servers_idempotency": "idempotency_key",
	"sites_pkey": "id", "sites_idempotency": "idempotency_key", "site_domains_pkey": "domain",
	"keys_pkey": "id", "keys_idempotency": "idempotency_key", "keys_fingerprint": "fingerprint",
	"grants_pkey": "id", "grants_unique": "key",
	"deployments_pkey": "id", "deployments_pending": "status", "deployments_running": "status",
	"deliveries_pkey": "id", "deliveries_key": "key", "deliveries_digest": "digest",
	"actions_pkey": "id", "actions_idempotency": "idempotency_key",
	"locks_pkey": "id",
}

func conflict(err error) (field string, ok bool) {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != uniqueViolation {
		return "", false
	}
	field, ok = fields[pg.ConstraintName]
	return field, ok
}

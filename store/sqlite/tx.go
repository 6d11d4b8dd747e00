package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

// View calls fn with a snapshot of the store.
func (s *Store) View(ctx context.Context, fn func(forge.Tx) error) error {
	_, err := s.try(ctx, s.read, "BEGIN", fn)
	return err
}

// Update calls fn, once, when no other update runs, and commits what it did.
func (s *Store) Update(ctx context.Context, fn func(forge.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.writer }()
	emitted, err := s.try(ctx, s.write, "BEGIN IMMEDIATE", fn)
	if emitted {
		s.waiters.Wake()
	}
	return err
}

// try calls fn in one transaction, and reports whether that emitted events. What
// fails in the database is returned in place of what fn makes of it.
func (s *Store) try(ctx context.Context, db *sql.DB, begin string, fn func(forge.Tx) error) (emitted bool, err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { _ = c.Close() }() // which gives it back
	if _, err := c.ExecContext(ctx, begin); err != nil {
		return false, err
	}
	ended := false
	defer func() {
		if !ended {
			_, _ = c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		}
	}()
	t := sqlstore.NewTx(ctx, &s.dialect, conn{c}, db == s.write)
	err = fn(t)
	if broken := t.Err(); broken != nil {
		err = broken
	}
	t.End()
	if err != nil {
		return false, err
	}
	events, err := t.Emitted(`(SELECT MAX(COALESCE((SELECT MAX("seq") FROM "events"), 0), "dropped") + 1 FROM "event_state")`)
	if err != nil {
		return false, err
	}
	if _, err := (conn{c}).Exec(ctx, append(events, sqlstore.Stmt{SQL: "COMMIT"})...); err != nil {
		return false, err
	}
	ended = true
	return len(events) > 0, nil
}

// Wait returns when there are events after a sequence, or the error of ctx.
func (s *Store) Wait(ctx context.Context, after int64) error {
	return s.waiters.Wait(ctx, &s.dialect, conn{s.read}.Query, after)
}

// querier is a *sql.Conn, or a *sql.DB outside of a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// conn executes statements.
type conn struct{ querier }

var _ sqlstore.Conn = conn{}

func (c conn) Now(context.Context) (time.Time, error) { return time.Now(), nil }

func (c conn) Exec(ctx context.Context, stmts ...sqlstore.Stmt) ([]int64, error) {
	counts := make([]int64, len(stmts))
	for i, stmt := range stmts {
		result, err := c.ExecContext(ctx, stmt.SQL, stmt.Args...)
		if err != nil {
			return nil, err
		}
		if counts[i], err = result.RowsAffected(); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

func (c conn) Query(ctx context.Context, stmt sqlstore.Stmt, row func(scan func(...any) error) error) (err error) {
	rows, err := c.QueryContext(ctx, stmt.SQL, stmt.Args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

const (
	beginView   = "BEGIN"
	beginUpdate = "BEGIN IMMEDIATE"
)

// View calls fn with a snapshot of the store.
func (s *Store) View(ctx context.Context, fn func(forge.Tx) error) error {
	_, err := s.try(ctx, s.read, beginView, fn)
	return err
}

// Update calls fn, once, when no other update runs, and commits what it did. When
// ctx ends, it is done if there is no error.
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
	emitted, err := s.try(ctx, s.write, beginUpdate, fn)
	if emitted {
		s.waiters.Wake()
	}
	if err == nil {
		s.wal.trim(ctx, s.write)
	}
	return err
}

// try calls fn in one transaction, and reports whether that emitted events. What
// fails in the database is returned in place of what fn makes of it.
func (s *Store) try(ctx context.Context, db *sql.DB, begin string, fn func(forge.Tx) error) (emitted bool, err error) {
	err = transact(ctx, db, begin, func(c conn) error {
		t := sqlstore.NewTx(ctx, &s.dialect, c, begin == beginUpdate)
		err := fn(t)
		if broken := t.Err(); broken != nil {
			err = broken
		}
		t.End()
		if err != nil {
			return err
		}
		events, err := t.Emitted(`(SELECT MAX(COALESCE((SELECT MAX("seq") FROM "events"), 0), "dropped") + 1 FROM "event_state")`)
		if err != nil {
			return err
		}
		emitted = len(events) > 0
		_, err = c.Exec(ctx, events...)
		return err
	})
	return emitted && err == nil, err
}

// transact calls fn in one transaction, and commits it when fn returns nil.
func transact(ctx context.Context, db *sql.DB, begin string, fn func(conn) error) error {
	held, err := db.Conn(ctx)
	if err != nil {
		return failed(ctx, err)
	}
	defer func() { _ = held.Close() }() // which gives it back
	// The end of ctx does not end a commit, of which it would not be known whether
	// it was done.
	end, ended := context.WithoutCancel(ctx), false
	defer func() {
		if ended {
			return
		}
		// Also where begin failed: it may have been done when ctx ended.
		if _, err := held.ExecContext(end, "ROLLBACK"); err != nil {
			_ = held.Raw(func(any) error { return driver.ErrBadConn }) // closes it
		}
	}()
	c := conn{held}
	if _, err := c.Exec(ctx, sqlstore.Stmt{SQL: begin}); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	if _, err := held.ExecContext(end, "COMMIT"); err != nil {
		return failed(ctx, err) // which may have come from its end, a moment before
	}
	ended = true
	return nil
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
			return nil, failed(ctx, err)
		}
		if counts[i], err = result.RowsAffected(); err != nil {
			return nil, failed(ctx, err)
		}
	}
	return counts, nil
}

func (c conn) Query(ctx context.Context, stmt sqlstore.Stmt, row func(scan func(...any) error) error) error {
	rows, err := c.QueryContext(ctx, stmt.SQL, stmt.Args...)
	if err != nil {
		return failed(ctx, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return failed(ctx, rows.Err())
}

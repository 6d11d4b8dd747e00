package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

// begun reads the clock and bounds how long the transaction may do nothing. Then
// its connection is ended, as its process has been stopped or its machine is
// gone, and others wait for what it has locked.
const begun = `SELECT clock_timestamp(), set_config('idle_in_transaction_session_timeout', '5s', true)`

// conn executes the statements of a transaction. The first of them begins it, in
// the same round trip.
type conn struct {
	*pgxpool.Conn
	begin string // what begins the transaction; empty once it has begun
	now   time.Time
}

var _ sqlstore.Conn = (*conn)(nil)

func (c *conn) Now(ctx context.Context) (time.Time, error) {
	return c.now, failed(ctx, c.send(ctx, &pgx.Batch{}))
}

func (c *conn) Exec(ctx context.Context, stmts ...sqlstore.Stmt) ([]int64, error) {
	counts := make([]int64, len(stmts))
	b := &pgx.Batch{}
	for i, stmt := range stmts {
		b.Queue(stmt.SQL, stmt.Args...).Exec(func(tag pgconn.CommandTag) error {
			counts[i] = tag.RowsAffected()
			return nil
		})
	}
	return counts, failed(ctx, c.send(ctx, b))
}

func (c *conn) Query(ctx context.Context, stmt sqlstore.Stmt, row func(scan func(...any) error) error) error {
	var unread error
	b := &pgx.Batch{}
	b.Queue(stmt.SQL, stmt.Args...).Query(func(rows pgx.Rows) error {
		for unread == nil && rows.Next() {
			unread = row(rows.Scan)
		}
		return unread
	})
	err := c.send(ctx, b)
	if unread != nil {
		return unread // is no fault of the database
	}
	return failed(ctx, err)
}

// send sends a batch, behind what begins the transaction, and reads the answers.
func (c *conn) send(ctx context.Context, b *pgx.Batch) error {
	if c.begin != "" {
		first := &pgx.Batch{}
		first.Queue(c.begin).Exec(func(pgconn.CommandTag) error {
			c.begin = ""
			return nil
		})
		first.Queue(begun).QueryRow(func(row pgx.Row) error { return row.Scan(&c.now, nil) })
		first.QueuedQueries = append(first.QueuedQueries, b.QueuedQueries...)
		b = first
	}
	if b.Len() == 0 {
		return nil
	}
	return c.SendBatch(ctx, b).Close()
}

// rollback ends the transaction, if there is one. A connection on which that fails
// is closed by its pool.
func (c *conn) rollback() {
	ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
	defer cancel()
	if !c.Conn.Conn().IsClosed() && c.Conn.Conn().PgConn().TxStatus() != 'I' {
		_, _ = c.Conn.Exec(ctx, "ROLLBACK")
	}
}

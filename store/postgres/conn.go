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

// conn executes the statements of a transaction, the first of which begins it in the
// same round trip, or a query outside of one.
type conn struct {
	*pgxpool.Conn
	pool  *pgxpool.Pool
	begin string // what begins the transaction; empty once it has begun
	used  bool   // something was answered on the connection
	now   time.Time
}

var _ sqlstore.Conn = (*conn)(nil)

// connect takes a connection for a transaction, or for a query when nothing begins
// it. It is given back by release.
func connect(ctx context.Context, pool *pgxpool.Pool, begin string) (*conn, error) {
	acquired, err := pool.Acquire(ctx)
	if err != nil {
		return nil, failed(ctx, err)
	}
	return &conn{Conn: acquired, pool: pool, begin: begin}, nil
}

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
		c.used = true
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

// send sends a batch, behind what begins the transaction, and reads the answers. As
// long as nothing was answered, the connection may have been broken for long, and
// the batch goes to another one: all of the pool may be, and then there is a new one.
func (c *conn) send(ctx context.Context, b *pgx.Batch) error {
	for tries := c.pool.Stat().MaxConns(); ; tries-- {
		err := c.sendOnce(ctx, b)
		if err == nil || c.used || tries == 0 || ctx.Err() != nil || !c.Conn.Conn().IsClosed() || commits(b) && !pgconn.SafeToRetry(err) {
			return err
		}
		c.release()
		if c.Conn, err = c.pool.Acquire(ctx); err != nil {
			return err
		}
	}
}

// commits reports whether a batch ends a transaction: then it may have been done
// though nothing was answered.
func commits(b *pgx.Batch) bool {
	return b.Len() > 0 && b.QueuedQueries[b.Len()-1].SQL == commit
}

func (c *conn) sendOnce(ctx context.Context, b *pgx.Batch) error {
	all := &pgx.Batch{}
	if c.begin != "" {
		all.Queue(c.begin).Exec(func(pgconn.CommandTag) error {
			c.begin, c.used = "", true
			return nil
		})
		all.Queue(begun).QueryRow(func(row pgx.Row) error { return row.Scan(&c.now, nil) })
	}
	for _, q := range b.QueuedQueries { // each anew, as it is bound to the connection that it was sent on
		all.QueuedQueries = append(all.QueuedQueries, &pgx.QueuedQuery{SQL: q.SQL, Arguments: q.Arguments, Fn: q.Fn})
	}
	if all.Len() == 0 {
		return nil
	}
	return c.SendBatch(ctx, all).Close()
}

// release ends the transaction, if there is one, and gives the connection back. One
// on which that fails is closed by its pool.
func (c *conn) release() {
	if c.Conn == nil {
		return
	}
	if !c.Conn.Conn().IsClosed() && c.Conn.Conn().PgConn().TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		_, _ = c.Conn.Exec(ctx, "ROLLBACK")
	}
	c.Release()
	c.Conn = nil
}

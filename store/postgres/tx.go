package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

const (
	beginView   = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginUpdate = "BEGIN ISOLATION LEVEL SERIALIZABLE"
	commit      = "COMMIT"
)

// endTimeout bounds what is done after a context has ended.
const endTimeout = 5 * time.Second

// View calls fn with a snapshot of the store.
func (s *Store) View(ctx context.Context, fn func(forge.Tx) error) error {
	return s.try(ctx, beginView, fn)
}

// Update calls fn in a serializable transaction and commits it. It does so again
// when the transaction met another one.
func (s *Store) Update(ctx context.Context, fn func(forge.Tx) error) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.Multiplier = time.Millisecond, 100*time.Millisecond, 2
	for {
		err := s.try(ctx, beginUpdate, fn)
		if !again(err) {
			return err
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

// try calls fn in one transaction. What fails in the database is returned in
// place of what fn makes of it.
func (s *Store) try(ctx context.Context, begin string, fn func(forge.Tx) error) error {
	c, err := connect(ctx, s.pool, begin)
	if err != nil {
		return err
	}
	defer c.release() // also when the context has ended
	t := sqlstore.NewTx(ctx, &s.dialect, c, begin == beginUpdate)
	err = fn(t)
	if broken := t.Err(); broken != nil {
		err = broken
	}
	t.End()
	if err != nil || begin == beginView {
		return err
	}
	return s.commit(ctx, c, t)
}

// commit commits the transaction and its events, in one round trip.
func (s *Store) commit(ctx context.Context, c *conn, t *sqlstore.Tx) error {
	b := &pgx.Batch{}
	events, err := t.Emitted(`nextval('` + s.dialect.Prefix + `events_seq')`)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		b.Queue("SELECT pg_advisory_xact_lock($1)", s.eventLock)
		for _, stmt := range events {
			b.Queue(stmt.SQL, stmt.Args...)
		}
		b.Queue("SELECT pg_notify($1, '')", s.channel())
	} else if c.begin != "" {
		return nil // nothing was asked for
	}
	committed := false
	b.Queue(commit).Exec(func(tag pgconn.CommandTag) error {
		committed = tag.String() == commit
		if !committed {
			return fmt.Errorf("the database answered a commit with %s", tag)
		}
		return nil
	})
	if err := c.send(ctx, b); !committed {
		return uncommitted(ctx, err)
	}
	if len(events) > 0 && s.listener.poll {
		s.listener.waiters.Wake() // nobody else tells them
	}
	return nil // also when the connection broke behind it
}

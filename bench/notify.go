package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/seed-797f2c2c/forge/internal/queuebench"
)

const notifyTable = `CREATE TABLE IF NOT EXISTS notify_jobs (id text PRIMARY KEY)`

// notifyLoop is a side that does the least: a row for a job, a NOTIFY with it, and
// one who listens and takes the rows.
func (l *lab) notifyLoop(ctx context.Context) (*queuebench.Side, error) {
	pool, err := l.pgPool(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, notifyTable); err != nil {
		return nil, err
	}
	listening, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	conn := listening.Hijack()
	if _, err := conn.Exec(ctx, "LISTEN notify_jobs"); err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return l.side(queuebench.Start(ctx,
		func(ctx context.Context, ids []string) error {
			_, err := pool.Exec(ctx, `WITH added AS (INSERT INTO notify_jobs SELECT unnest($1::text[]))
				SELECT pg_notify('notify_jobs', '')`, ids)
			return err
		},
		func(ctx context.Context, heard func(string)) error {
			defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
			for {
				if _, err := conn.WaitForNotification(ctx); ctx.Err() != nil {
					return nil
				} else if err != nil {
					return err
				}
				rows, err := pool.Query(ctx, "DELETE FROM notify_jobs RETURNING id")
				if err != nil {
					return err
				}
				ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
				if err != nil {
					return err
				}
				for _, id := range ids {
					heard(id)
				}
			}
		}), nil)
}

package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
)

// postgres starts a PostgreSQL with its usual memory and checkpoints, unlike that
// of tests, which ends with the lab, and returns its URL.
func (l *lab) postgres() (string, error) {
	if l.url != "" {
		return l.url, nil
	}
	db, err := pgtest.Open(pgtest.Options{Durable: true, Settings: []string{"shared_buffers=128MB", "max_wal_size=1GB"}})
	if err != nil {
		return "", err
	}
	l.closers = append(l.closers, func() error { db.Close(); return nil })
	l.url = db.URL()
	return l.url, nil
}

// pgPool are connections to it that queues share.
func (l *lab) pgPool(ctx context.Context) (*pgxpool.Pool, error) {
	if l.pool != nil {
		return l.pool, nil
	}
	url, err := l.postgres()
	if err != nil {
		return nil, err
	}
	if l.pool, err = pgxpool.New(ctx, url+"&pool_max_conns=16"); err != nil {
		return nil, err
	}
	l.closers = append(l.closers, func() error { l.pool.Close(); return nil })
	return l.pool, nil
}

package main

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-797f2c2c/forge/internal/queuebench"
	"github.com/seed-797f2c2c/forge/queue/river"
)

func queueRows() []row {
	return []row{
		queueMemory(), queueRiver(), queueLatency("queue-latency-p50", 0.5), queueLatency("queue-latency-p99", 0.99),
	}
}

// queueRiver is jobs that do nothing, enqueued and worked on by way of PostgreSQL,
// through the adapter and through River itself, both with as many workers and as
// short a pause between two looks.
func queueRiver() row { return row{name: "queue-river", unit: "s", setup: setUpQueueRiver} }

func setUpQueueRiver(ctx context.Context, l *lab) (*trial, error) {
	ours, err := l.adapter(ctx, "river_ours", queueWorkers)
	if err != nil {
		return nil, err
	}
	bare, err := l.bareRiver(ctx, "river_bare", queueWorkers, time.Millisecond)
	if err != nil {
		return nil, err
	}
	return &trial{
		ours: l.work(ours), peers: []peer{{"bare River", l.work(bare)}}, close: closing(ours, bare),
	}, nil
}

// closing ends sides together with a trial.
func closing(sides ...*queuebench.Side) func() error {
	return func() (err error) {
		for _, s := range sides {
			err = errors.Join(err, s.Close())
		}
		return err
	}
}

// adapter is a side of the adapter, in a schema of its own.
func (l *lab) adapter(ctx context.Context, schema string, workers int) (*queuebench.Side, error) {
	q, _, err := l.riverTables(ctx, schema)
	if err != nil {
		return nil, err
	}
	return l.side(queuebench.Queue(ctx, q, workers), nil)
}

// bareRiver is a side of River alone.
func (l *lab) bareRiver(ctx context.Context, schema string, workers int, cooldown time.Duration) (*queuebench.Side, error) {
	_, pool, err := l.riverTables(ctx, schema)
	if err != nil {
		return nil, err
	}
	return l.side(queuebench.River(ctx, pool, schema, workers, cooldown))
}

// side makes sure that a side ends before what it stands on.
func (l *lab) side(s *queuebench.Side, err error) (*queuebench.Side, error) {
	if err == nil {
		l.closers = append(l.closers, s.Close)
	}
	return s, err
}

func (l *lab) riverTables(ctx context.Context, schema string) (*river.Queue, *pgxpool.Pool, error) {
	pool, err := l.pgPool(ctx)
	if err != nil {
		return nil, nil, err
	}
	q, err := river.New(river.Config{Pool: pool, Schema: schema, Logger: l.log})
	if err != nil {
		return nil, nil, err
	}
	return q, pool, q.Migrate(ctx)
}

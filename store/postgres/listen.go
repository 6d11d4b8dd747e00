package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-797f2c2c/forge/store/internal/sqlstore"
)

// listenRetry is the pause before another connection listens.
const listenRetry = time.Second

// listener wakes those who wait when a notification comes. It begins with the
// first of them.
type listener struct {
	s       *Store
	poll    bool
	once    sync.Once
	stop    context.CancelFunc
	ctx     context.Context //nolint:containedctx // of the listening
	ended   sync.WaitGroup
	waiters *sqlstore.Waiters
}

func newListener(s *Store, poll bool) *listener {
	ctx, stop := context.WithCancel(context.Background())
	return &listener{s: s, poll: poll, ctx: ctx, stop: stop, waiters: sqlstore.NewWaiters()}
}

func (l *listener) close() {
	l.waiters.Close()
	l.stop()
	l.once.Do(func() {}) // none begins any more
	l.ended.Wait()
}

func (s *Store) channel() string { return s.schema + "_events" }

// Wait returns when there are events after a sequence, or the error of ctx.
func (s *Store) Wait(ctx context.Context, after int64) error {
	l := s.listener
	if !l.poll {
		l.once.Do(func() { l.ended.Go(l.run) })
	}
	return l.waiters.Wait(ctx, &s.dialect, s.query, after)
}

// run listens, on another connection when one fails.
func (l *listener) run() {
	for l.ctx.Err() == nil {
		_ = l.listen()
		l.waiters.Wake() // what was notified meanwhile is not known
		select {
		case <-time.After(listenRetry):
		case <-l.ctx.Done():
		}
	}
}

// listen takes a connection out of the pool, as it would keep others from it.
func (l *listener) listen() error {
	acquired, err := l.s.pool.Acquire(l.ctx)
	if err != nil {
		return err
	}
	c := acquired.Hijack()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), endTimeout)
		defer cancel()
		_ = c.Close(ctx)
	}()
	if _, err := c.Exec(l.ctx, "LISTEN "+pgx.Identifier{l.s.channel()}.Sanitize()); err != nil {
		return err
	}
	l.waiters.Wake()
	for {
		if _, err := c.WaitForNotification(l.ctx); err != nil {
			return err
		}
		l.waiters.Wake()
	}
}

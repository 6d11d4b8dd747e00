package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-797f2c2c/forge"
)

const (
	// pollInterval is how often those who wait look for events by themselves:
	// a notification may be lost with its connection.
	pollInterval = time.Second
	// listenRetry is the pause before another connection listens.
	listenRetry = time.Second
)

// listener wakes those who wait when a notification comes. It begins with the
// first of them.
type listener struct {
	s     *Store
	poll  bool
	once  sync.Once
	stop  context.CancelFunc
	ctx   context.Context //nolint:containedctx // of the listening
	ended sync.WaitGroup

	mu   sync.Mutex
	more chan struct{} // closed at the next notification
}

func newListener(s *Store, poll bool) *listener {
	ctx, stop := context.WithCancel(context.Background())
	return &listener{s: s, poll: poll, ctx: ctx, stop: stop, more: make(chan struct{})}
}

func (l *listener) close() {
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
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		more := l.next()
		var last int64
		err := s.pool.QueryRow(ctx, `SELECT COALESCE((SELECT MAX("seq") FROM `+s.dialect.Prefix+`events), 0)`).Scan(&last)
		if err != nil {
			return failed(ctx, err)
		}
		if last > max(after, 0) {
			return nil
		}
		select {
		case <-more:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-l.ctx.Done():
			return &forge.Error{Class: forge.ErrState, Rule: "the store is closed"}
		}
	}
}

// next returns a channel that is closed at the next notification.
func (l *listener) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.more
}

func (l *listener) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
}

// run listens, on another connection when one fails.
func (l *listener) run() {
	for l.ctx.Err() == nil {
		_ = l.listen()
		l.wake() // what was notified meanwhile is not known
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
	l.wake()
	for {
		if _, err := c.WaitForNotification(l.ctx); err != nil {
			return err
		}
		l.wake()
	}
}

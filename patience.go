package forge

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// maxAway is how long those who wait and follow bear a store that is away.
const maxAway = 30 * time.Second

// patience is that of one who waits or follows, with a store that cannot be reached
// for a while, as while a database is restarted. What begins meanwhile is told at
// once, as by every other call.
type patience struct {
	hub    *hub
	heard  bool      // the store has answered
	away   time.Time // since when it does not; zero while it does
	pauses backoff.ExponentialBackOff
}

// answered notes that the store does.
func (p *patience) answered() { p.heard, p.away = true, time.Time{} }

// read calls fn until the store answers, which may be with another error, or its
// time is over. What fn did before it failed counts, where it calls answered.
func (p *patience) read(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		switch {
		case !errors.Is(err, ErrUnavailable):
			p.answered()
			return err
		case !p.heard:
			return err
		case p.away.IsZero():
			p.away = time.Now()
			p.pauses = backoff.ExponentialBackOff{
				InitialInterval: 50 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 2 * time.Second}
			p.pauses.Reset()
		case time.Since(p.away) >= maxAway:
			return err
		}
		pause := time.NewTimer(p.pauses.NextBackOff())
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return context.Cause(ctx)
		case <-p.hub.closed:
			pause.Stop()
			return errClosed()
		}
	}
}

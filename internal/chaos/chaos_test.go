package chaos

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// TestChaos kills workers while they work, and then looks whether all that was
// asked for was done, once, and nothing is left.
func TestChaos(t *testing.T) {
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		rampage(t, inPostgres(t), "PostgreSQL, 3 workers, queue of River", 3, 1500*time.Millisecond)
	})
	t.Run("postgres without a queue", func(t *testing.T) {
		t.Parallel()
		s := inPostgres(t)
		s.River = "" // the sweep alone carries what is asked for to the workers
		rampage(t, s, "PostgreSQL, 2 workers, a queue in each", 2, 2*time.Second)
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		rampage(t, inSQLite(t), "SQLite, 1 worker", 1, 3500*time.Millisecond)
	})
}

// rampage carries a plan out. The kills begin before the machine is asked for, and
// end before the last of the work does.
func rampage(t *testing.T, s settings, what string, workers int, usual time.Duration) {
	count, lines, faults := *kills, 300, 2 // all of them may meet one deletion, which has three attempts
	if count == 0 {
		count, lines, faults = 4, 100, 1
	}
	w := newWorld(t, s, faults, true)
	p := newPlan(*seed, workers, count, usual)
	j := &jobs{world: w, lines: lines, quiet: make(chan struct{})}
	group, ctx := errgroup.WithContext(t.Context())
	var alive []*process
	for i := range workers {
		alive = append(alive, w.start(t, fmt.Sprint(i)))
	}
	group.Go(func() error {
		defer close(j.quiet)
		return w.carryOut(ctx, p, alive)
	})
	group.Go(func() error { return j.onMachine(ctx) })
	group.Go(func() error { return j.inCloud(ctx) })
	err := group.Wait()
	// Whoever works takes up what is left, and ends when asked to.
	for _, worker := range alive {
		if err == nil {
			err = worker.end()
		}
	}
	require.NoError(t, err, "seed %d: the kills so far: %d", *seed, w.killed)
	done := j.check(t)
	t.Logf("%d kills (seed %d; %s; %s): %s", w.killed, *seed, what, w.takenOver(), done)
}

// carryOut kills and starts workers by a plan.
func (w *world) carryOut(ctx context.Context, p plan, alive []*process) error {
	for _, kill := range p.kills {
		select {
		case <-time.After(kill.after):
		case <-ctx.Done():
			return nil // another one says why
		}
		if err := alive[kill.victim].kill(); err != nil {
			return err
		}
		w.killed++
		s := w.settings
		s.Worker = fmt.Sprint(w.killed + p.workers - 1)
		next, err := s.start(w.log)
		if err != nil {
			return err
		}
		alive[kill.victim] = next
	}
	return nil
}

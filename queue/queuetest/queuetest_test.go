package queuetest_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/mutanttest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/queue/queuetest"
)

var opts = &queuetest.Options{DrainTimeout: 300 * time.Millisecond, Patience: 2 * time.Second}

// TestMutant is the suite on one broken queue, in a process of its own.
func TestMutant(t *testing.T) {
	name := mutanttest.Name(t)
	i := slices.IndexFunc(mutants(), func(m mutant) bool { return m.name == name })
	queuetest.Test(t, func(*testing.T) queue.Queue {
		q := memory.New(memory.Config{DrainTimeout: opts.DrainTimeout, Logger: slog.New(slog.DiscardHandler)})
		return mutants()[i].wrap(q)
	}, opts)
}

func TestTheSuiteFindsDefects(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			r := mutanttest.Run(t, m.name, "-test.timeout=2m", "-test.parallel=20")
			if m.fails == nil {
				require.NoError(t, r.Err, r.Output)
			}
			require.Subset(t, r.Failed, m.fails, r.Output)
		})
	}
}

type mutant struct {
	name  string
	wrap  func(queue.Queue) queue.Queue
	fails []string // at least
}

func mutants() []mutant {
	return []mutant{
		{"sound", func(q queue.Queue) queue.Queue { return q }, nil},
		{"runs an ID twice", forgetsIDs, []string{"DropsAnIDThatWaits", "DropsAnIDThatRuns"}},
		{"runs early", onEnqueue(func(job *queue.Job) { job.RunAt = time.Time{} }), []string{"RunsNothingBeforeItsTime"}},
		{"runs too many", onPools(func(n int) int { return n + 1 }), []string{"KeepsToTheLimitOfAPool", "SharesJobsBetweenRuns"}},
		{"runs one at a time", onPools(func(int) int { return 1 }), []string{"KeepsToTheLimitOfAPool"}},
		{"has one pool", onePool, []string{"KeepsPoolsApart", "LeavesOtherPoolsAlone"}},
		{"loses a slot to a panic", onHandle(func(ctx context.Context, _ error, panicked bool) {
			if panicked {
				<-ctx.Done()
			}
		}), []string{"SurvivesPanics"}},
		{"loses a slot to an error", onHandle(func(ctx context.Context, err error, _ bool) {
			if err != nil {
				<-ctx.Done()
			}
		}), []string{"SurvivesErrors"}},
		{"repeats what failed", repeats, []string{"SurvivesErrors"}},
		{"ignores the context of Enqueue", func(q queue.Queue) queue.Queue {
			return broken{Queue: q, enqueue: func(_ context.Context, jobs ...queue.Job) error {
				return q.Enqueue(context.Background(), jobs...)
			}}
		}, []string{"RefusesADoneContext"}},
		{"forgets what came before Run", needsRun, []string{"DeliversWhatWasEnqueuedBeforeRun"}},
		{"returns the error of the context", onRun(func(ctx context.Context, run func(context.Context) error) error {
			_ = run(ctx)
			return ctx.Err()
		}), []string{"DrainLetsJobsFinish", "DrainCancelsAndTakesNoMore", "Delivers"}},
		{"leaves jobs behind", onRun(func(ctx context.Context, run func(context.Context) error) error {
			go func() { _ = run(ctx) }()
			<-ctx.Done()
			return nil
		}), []string{"DrainLetsJobsFinish"}},
		{"does not stop", onRun(func(ctx context.Context, run func(context.Context) error) error {
			return run(context.WithoutCancel(ctx))
		}), []string{"DrainLetsJobsFinish", "DrainCancelsAndTakesNoMore"}},
		{"goes on after the end", onRun(func(ctx context.Context, run func(context.Context) error) error {
			err := run(ctx)
			go func() { _ = run(context.WithoutCancel(ctx)) }()
			return err
		}), []string{"DrainCancelsAndTakesNoMore"}},
		{"cancels at once", cancelsAtOnce, []string{"DrainLetsJobsFinish", "DrainCancelsAndTakesNoMore"}},
	}
}

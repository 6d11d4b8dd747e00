// Package queuetest is the conformance suite of [queue.Queue]. An adapter calls
// [Test] and [Benchmark] from its own tests.
package queuetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/queue"
)

// Options say what the suite has to know about an adapter. The zero value works.
type Options struct {
	// DrainTimeout is the drain time of the queues under test; the suite waits
	// for its end. Defaults to 500 ms.
	DrainTimeout time.Duration
	// Patience is how long the suite waits for what must happen before it
	// fails. Defaults to 30 s.
	Patience time.Duration
	// Quiet is how long it watches for what must not happen. Defaults to
	// 100 ms.
	Quiet time.Duration
}

func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.DrainTimeout == 0 {
		opts.DrainTimeout = 500 * time.Millisecond
	}
	if opts.Patience == 0 {
		opts.Patience = 30 * time.Second
	}
	if opts.Quiet == 0 {
		opts.Quiet = 100 * time.Millisecond
	}
	return opts
}

// Test runs the suite. newQueue returns an empty queue that shares nothing with
// those it returned before, with a drain time of Options.DrainTimeout, and
// registers its cleaning up with t.
func Test(t *testing.T, newQueue func(t *testing.T) queue.Queue, opts *Options) {
	t.Helper()
	tests := []struct {
		name string
		run  func(*fixture)
	}{
		{"Delivers", delivers},
		{"DeliversWhatWasEnqueuedBeforeRun", deliversEarlier},
		{"DropsAnIDThatWaits", dropsWaiting},
		{"DropsAnIDThatRuns", dropsRunning},
		{"RunsNothingBeforeItsTime", respectsRunAt},
		{"KeepsToTheLimitOfAPool", keepsLimits},
		{"KeepsPoolsApart", keepsPoolsApart},
		{"LeavesOtherPoolsAlone", leavesOtherPools},
		{"SurvivesPanics", survivesPanics},
		{"SurvivesErrors", survivesErrors},
		{"DrainLetsJobsFinish", drainFinishes},
		{"DrainCancelsAndTakesNoMore", drainCancels},
		{"GoesOnInTheNextRun", goesOn},
		{"SharesJobsBetweenRuns", sharesRuns},
		{"TakesJobsFromManyAtOnce", manyEnqueuers},
		{"TakesJobsFromHandlers", enqueuesInHandlers},
		{"RefusesADoneContext", refusesDoneContext},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(&fixture{T: t, q: newQueue(t), opts: opts.withDefaults()})
		})
	}
}

// fixture is a queue under test and what the tests do with it.
type fixture struct {
	*testing.T
	q    queue.Queue
	opts Options
}

// enqueue adds jobs that are due at once in the pool "default" unless they say
// otherwise.
func (f *fixture) enqueue(jobs ...queue.Job) {
	f.Helper()
	for i := range jobs {
		jobs[i].Kind = "test"
		if jobs[i].Pool == "" {
			jobs[i].Pool = "default"
		}
	}
	require.NoError(f, f.q.Enqueue(f.Context(), jobs...))
}

// run starts a Run that ends with stop or with the test. stop waits for the end
// and requires that Run returned nil.
func (f *fixture) run(pools queue.Pools, handle queue.Handler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.q.Run(ctx, pools, handle) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			assert.NoError(f, err, "Run ends without an error")
		case <-time.After(f.opts.DrainTimeout + f.opts.Patience):
			assert.Fail(f, "Run did not return after its context was done")
		}
	})
	f.Cleanup(stop)
	return stop
}

// recv waits for the next value.
func recv[T any](f *fixture, ch <-chan T, what string) T {
	f.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(f.opts.Patience):
		require.FailNow(f, "nothing came", "waited %v for %s", f.opts.Patience, what)
		panic("unreachable")
	}
}

// silent requires that nothing comes for a while.
func silent[T any](f *fixture, ch <-chan T, what string) {
	f.Helper()
	select {
	case v := <-ch:
		require.FailNow(f, what, "got %v", v)
	case <-time.After(f.opts.Quiet):
	}
}

// ids names n jobs.
func ids(prefix string, n int) (jobs []queue.Job) {
	for i := range n {
		jobs = append(jobs, queue.Job{ID: fmt.Sprintf("%s-%d.1", prefix, i)})
	}
	return jobs
}

// report is a Handler that sends the ID of each job.
func report(ch chan<- string) queue.Handler {
	return func(_ context.Context, job queue.Job) error {
		ch <- job.ID
		return nil
	}
}

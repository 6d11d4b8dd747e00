package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/queue"
)

func delivers(f *fixture) {
	got := make(chan queue.Job, 10)
	f.run(queue.Pools{"default": 2}, func(_ context.Context, job queue.Job) error {
		got <- job
		return nil
	})
	require.NoError(f, f.q.Enqueue(f.Context(), queue.Job{ID: "a.1", Kind: "deploy_site", Pool: "default"}))
	job := recv(f, got, "the job")
	require.Equal(f, []string{"a.1", "deploy_site", "default"}, []string{job.ID, job.Kind, job.Pool})

	require.NoError(f, f.q.Enqueue(f.Context()), "no jobs at all")
	f.enqueue(ids("more", 5)...)
	seen := make(map[string]bool)
	for range 5 {
		seen[recv(f, got, "each of five jobs").ID] = true
	}
	require.Len(f, seen, 5)
	silent(f, got, "a job came twice")
}

func deliversEarlier(f *fixture) {
	got := make(chan string, 2)
	f.enqueue(ids("early", 2)...)
	f.run(queue.Pools{"default": 1}, report(got))
	require.ElementsMatch(f, []string{"early-0.1", "early-1.1"},
		[]string{recv(f, got, "the first job"), recv(f, got, "the second job")})
}

func dropsWaiting(f *fixture) {
	got := make(chan string, 5)
	f.enqueue(queue.Job{ID: "a.1"}, queue.Job{ID: "a.1"})
	f.enqueue(queue.Job{ID: "a.1"}, queue.Job{ID: "b.1"})
	f.run(queue.Pools{"default": 1}, report(got))
	require.ElementsMatch(f, []string{"a.1", "b.1"}, []string{recv(f, got, "a job"), recv(f, got, "a job")},
		"an ID that waits is dropped, and what came with it is not")
	silent(f, got, "a job came twice")
}

func dropsRunning(f *fixture) {
	got, release := make(chan string, 5), make(chan struct{})
	f.run(queue.Pools{"default": 2}, hold(got, release))
	defer close(release)
	f.enqueue(queue.Job{ID: "a.1"})
	recv(f, got, "the job")
	f.enqueue(queue.Job{ID: "a.1"})
	silent(f, got, "a job runs twice at once")
	f.enqueue(queue.Job{ID: "a.2"})
	recv(f, got, "the next epoch")
}

func respectsRunAt(f *fixture) {
	type delivery struct {
		id string
		at time.Time
	}
	got := make(chan delivery, 3)
	f.run(queue.Pools{"default": 1}, func(_ context.Context, job queue.Job) error {
		got <- delivery{job.ID, time.Now()}
		return nil
	})
	due := time.Now().Add(f.opts.Quiet + 200*time.Millisecond)
	f.enqueue(queue.Job{ID: "never.1", RunAt: time.Now().Add(24 * time.Hour)})
	f.enqueue(queue.Job{ID: "later.1", RunAt: due})
	f.enqueue(queue.Job{ID: "past.1", RunAt: time.Now().Add(-time.Hour)})

	require.Equal(f, "past.1", recv(f, got, "the job of the past").id, "what waits holds up nobody")
	later := recv(f, got, "the job of later")
	require.Equal(f, "later.1", later.id)
	// Stores keep microseconds, and may round.
	require.WithinRange(f, later.at, due.Add(-time.Microsecond), due.Add(f.opts.Patience))
	silent(f, got, "a job of tomorrow came")
}

func survivesPanics(f *fixture) {
	survives(f, func() error { panic("a handler that panics") })
}

func survivesErrors(f *fixture) {
	survives(f, func() error { return errors.New("a handler that fails") })
}

// survives requires that jobs which end badly take along neither one that runs
// nor those that come after them.
func survives(f *fixture, fail func() error) {
	type outcome struct {
		id  string
		err error
	}
	started, release, ended := make(chan string, 1), make(chan struct{}), make(chan outcome, 20)
	holding := hold(started, release)
	f.run(queue.Pools{"default": 2}, func(ctx context.Context, job queue.Job) error {
		switch job.ID {
		case "steady.1":
			_ = holding(ctx, job)
		case "last.1":
		default:
			defer func() { ended <- outcome{job.ID, ctx.Err()} }()
			return fail()
		}
		ended <- outcome{job.ID, ctx.Err()}
		return nil
	})
	f.enqueue(queue.Job{ID: "steady.1"})
	recv(f, started, "the steady job")
	f.enqueue(ids("bad", 10)...)
	for range 10 {
		recv(f, ended, "each bad job")
	}
	f.enqueue(queue.Job{ID: "last.1"})
	require.Equal(f, outcome{id: "last.1"}, recv(f, ended, "a job after the bad ones"))
	close(release)
	require.Equal(f, outcome{id: "steady.1"}, recv(f, ended, "the steady job"))
	silent(f, ended, "the queue ran a job again")
}

func manyEnqueuers(f *fixture) {
	const enqueuers, each = 20, 10
	got := make(chan string, 2*enqueuers*each)
	f.run(queue.Pools{"default": 4}, report(got))
	var wg sync.WaitGroup
	errs := make(chan error, 2*enqueuers)
	for i := range enqueuers {
		jobs := ids(fmt.Sprint("job", i), each)
		for k := range jobs {
			jobs[k].Kind, jobs[k].Pool = "test", "default"
		}
		wg.Go(func() { errs <- f.q.Enqueue(f.Context(), jobs[:each/2]...) })
		wg.Go(func() { errs <- f.q.Enqueue(f.Context(), jobs[each/2:]...) })
	}
	wg.Wait()
	for range cap(errs) {
		require.NoError(f, <-errs)
	}
	seen := make(map[string]bool)
	for range enqueuers * each {
		seen[recv(f, got, "each job")] = true
	}
	require.Len(f, seen, enqueuers*each, "each job came once")
}

func enqueuesInHandlers(f *fixture) {
	const length = 10
	got := make(chan int, length)
	f.run(queue.Pools{"default": 1}, func(ctx context.Context, job queue.Job) error {
		var epoch int
		if _, err := fmt.Sscanf(job.ID, "a.%d", &epoch); err != nil {
			return err
		}
		got <- epoch
		if epoch == length {
			return nil
		}
		return f.q.Enqueue(ctx, queue.Job{ID: fmt.Sprintf("a.%d", epoch+1), Kind: "test", Pool: "default"})
	})
	f.enqueue(queue.Job{ID: "a.1"})
	for want := 1; want <= length; want++ {
		require.Equal(f, want, recv(f, got, "the next link of a chain"))
	}
}

func refusesDoneContext(f *fixture) {
	got := make(chan string, 2)
	f.run(queue.Pools{"default": 1}, report(got))
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	err := f.q.Enqueue(ctx, queue.Job{ID: "refused.1", Kind: "test", Pool: "default"})
	require.ErrorIs(f, err, context.Canceled)
	f.enqueue(queue.Job{ID: "taken.1"})
	require.Equal(f, "taken.1", recv(f, got, "the job that was taken"))
	silent(f, got, "a job came that Enqueue had refused")
}

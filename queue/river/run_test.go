package river_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/river"
)

// With a poll that does not come, a job arrives only if the workers were told.
func TestWorkersAreToldOfEveryJob(t *testing.T) {
	t.Parallel()
	q := newQueue(t, river.Config{PollInterval: time.Hour})
	const rounds, enqueuers = 50, 4
	got := make(chan queue.Job, enqueuers)
	run(t, q, queue.Pools{"default": 8}, report(got))
	for round := range rounds {
		for i := range enqueuers { // at once, so that one commits after the workers looked for another's
			go func() {
				id := fmt.Sprint(round, "-", i, ".1")
				if err := q.Enqueue(t.Context(), queue.Job{ID: id, Kind: "test", Pool: "default"}); err != nil {
					t.Error(err)
				}
			}()
		}
		for n := range enqueuers {
			recv(t, got, "job %d of round %d", n, round)
		}
	}
}

// recv waits for a job.
func recv(t *testing.T, got <-chan queue.Job, format string, args ...any) queue.Job {
	t.Helper()
	select {
	case job := <-got:
		return job
	case <-time.After(30 * time.Second):
		require.FailNow(t, "nothing came", append([]any{format}, args...)...)
		panic("unreachable")
	}
}

func TestAJobOfLaterNeedsNoScheduler(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	q := newQueue(t, river.Config{Pool: pool, Schema: schema, PollInterval: 50 * time.Millisecond})
	_, err := pool.Exec(t.Context(), "INSERT INTO "+schema+".river_leader (leader_id, elected_at, expires_at) "+
		"VALUES ('one who is dead', now(), now() + interval '1 hour')") // so nobody schedules
	require.NoError(t, err)
	got := make(chan queue.Job, 1)
	run(t, q, queue.Pools{"default": 1}, report(got))
	at := time.Now().Add(300 * time.Millisecond)
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1", Kind: "test", Pool: "default", RunAt: at}))
	job := recv(t, got, "the job of later")
	require.WithinRange(t, time.Now(), at.Add(-time.Millisecond), at.Add(30*time.Second))
	require.True(t, job.RunAt.Equal(at), "the handler sees when it was to run")
}

// listens notes whether connections listen.
type listens struct {
	mu   sync.Mutex
	many int
}

func (l *listens) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(q.SQL, "LISTEN") {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.many++
	}
	return ctx
}

func (*listens) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestPollOnlyDoesNotListen(t *testing.T) {
	t.Parallel()
	for _, pollOnly := range []bool{false, true} {
		url, schema := pgtest.Schema(t)
		config, err := pgxpool.ParseConfig(url)
		require.NoError(t, err)
		var heard listens
		config.ConnConfig.Tracer = &heard
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // as behind PgBouncer
		pool, err := pgxpool.NewWithConfig(t.Context(), config)
		require.NoError(t, err)
		t.Cleanup(pool.Close)
		q := newQueue(t, river.Config{Pool: pool, Schema: schema, PollOnly: pollOnly, PollInterval: 20 * time.Millisecond})
		got := make(chan queue.Job, 1)
		stop := run(t, q, queue.Pools{"default": 1}, report(got))
		require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1", Kind: "test", Pool: "default"}))
		require.Equal(t, "a.1", recv(t, got, "the job").ID)
		stop()
		require.Equal(t, pollOnly, heard.many == 0, "LISTEN was sent %d times", heard.many)
	}
}

func TestWhatEndsBadlyIsNotRunAgain(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	cfg := river.Config{Pool: pool, Schema: schema, DrainTimeout: -1, Timeout: time.Second}
	q := newQueue(t, cfg)
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	started, ended := make(chan string, 2), make(chan error, 1)
	go func() {
		ended <- q.Run(ctx, queue.Pools{"default": 2}, func(ctx context.Context, _ queue.Job) error {
			value, _ := ctx.Value(key{}).(string)
			started <- value
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "timeout.1", Kind: "test", Pool: "default"}))
	require.Equal(t, "value", <-started)
	discarded := func(n int) func() bool {
		return func() bool { return count(t, pool, schema, "state = 'discarded' AND errors IS NOT NULL") == n }
	}
	require.Eventually(t, discarded(1), 30*time.Second, 20*time.Millisecond, "the timeout ends it, for good")

	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "shutdown.1", Kind: "test", Pool: "default"}))
	<-started
	cancel()
	require.NoError(t, <-ended)
	require.Eventually(t, discarded(2), 30*time.Second, 20*time.Millisecond, "a stopped client does not put it back")
	require.Equal(t, 2, count(t, pool, schema, "true"))
}

func TestFailuresAreLogged(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var buf bytes.Buffer
	q := newQueue(t, river.Config{Logger: slog.New(slog.NewTextHandler(lockedWriter{&mu, &buf}, nil))})
	stop := run(t, q, queue.Pools{"default": 2}, func(_ context.Context, job queue.Job) error {
		if job.ID == "a.1" {
			panic("out of cheese")
		}
		return errors.New("out of bread")
	})
	require.NoError(t, q.Enqueue(t.Context(),
		queue.Job{ID: "a.1", Kind: "eat", Pool: "default"}, queue.Job{ID: "b.1", Kind: "eat", Pool: "default"}))
	logged := func() string {
		mu.Lock()
		defer mu.Unlock()
		return buf.String()
	}
	require.Eventually(t, func() bool { return strings.Count(logged(), "\n") == 2 }, 30*time.Second, 10*time.Millisecond)
	stop()
	require.Regexp(t, `level=ERROR msg="job panicked" panic="out of cheese" stack=.*run_test.go.* job=a.1 kind=eat pool=default`,
		logged())
	require.Regexp(t, `level=ERROR msg="job failed" error="out of bread" job=b.1 kind=eat pool=default`, logged())
	require.Equal(t, 2, strings.Count(logged(), "\n"), "River tells nothing of its own")
}

type lockedWriter struct {
	mu  *sync.Mutex
	buf *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	url, _ := pgtest.Schema(t)
	small, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	small.MaxConns = 1
	single, err := pgxpool.NewWithConfig(t.Context(), small)
	require.NoError(t, err)
	t.Cleanup(single.Close)
	pool := pgtest.Pool(t, url)
	for field, cfg := range map[string]river.Config{
		"Pool is required": {}, "two connections": {Pool: single}, "Schema": {Pool: pool, Schema: `a"b`},
		"Timeout": {Pool: pool, Timeout: -1}, "PollInterval": {Pool: pool, PollInterval: 1},
	} {
		_, err := river.New(cfg)
		require.ErrorContains(t, err, field)
	}

	q := newQueue(t, river.Config{})
	require.ErrorContains(t, q.Enqueue(t.Context(), queue.Job{Pool: "default"}), "needs an ID")
	require.ErrorContains(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1"}), "a Pool")
	require.ErrorContains(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1", Pool: "Not River's"}), "queue name")
	require.ErrorContains(t, q.Run(t.Context(), queue.Pools{"Not River's": 1}, report(nil)), "queue name")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, q.Run(ctx, queue.Pools{"default": 0}, report(nil)), "no pools to work on")
	require.NoError(t, q.Run(ctx, queue.Pools{"default": 1}, report(nil)), "over before it began")
}

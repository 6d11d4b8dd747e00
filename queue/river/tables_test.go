package river_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/river"
)

func TestRiversTablesSayWhatAJobIs(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	q := newQueue(t, river.Config{Pool: pool, Schema: schema})
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	require.NoError(t, q.Enqueue(t.Context(),
		queue.Job{ID: "a.1", Kind: "deploy_site", Pool: "deploy", RunAt: at},
		queue.Job{ID: "b.1", Kind: "no tag, for River", Pool: "deploy"}))

	var kind, pooled string
	var args json.RawMessage
	var tags []string
	var scheduled time.Time
	var attempts int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT kind, queue, args, tags, scheduled_at, max_attempts FROM "+
		schema+".river_job WHERE args->>'id' = 'a.1'").Scan(&kind, &pooled, &args, &tags, &scheduled, &attempts))
	require.Equal(t, "forge", kind)
	require.Equal(t, "deploy", pooled)
	require.JSONEq(t, fmt.Sprintf(`{"id": "a.1", "kind": "deploy_site", "pool": "deploy", "run_at": %q}`,
		at.Format(time.RFC3339Nano)), string(args))
	require.Equal(t, []string{"deploy_site"}, tags)
	require.True(t, scheduled.Equal(at))
	require.Equal(t, 1, attempts)
	require.Equal(t, 1, count(t, pool, schema, "args->>'kind' = 'no tag, for River' AND tags = '{}'"))
}

func TestMigrateKeepsToItsSchema(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	_, theirs := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	for _, statement := range []string{
		"CREATE SCHEMA " + theirs,
		"CREATE TABLE " + theirs + ".river_job (id int)", // of the embedder, who has one too
		"CREATE SCHEMA " + schema,
		"CREATE TABLE " + schema + ".sites (id int)",
	} {
		_, err := pool.Exec(t.Context(), statement)
		require.NoError(t, err)
	}
	cfg := river.Config{Pool: pool, Schema: schema}
	q, err := river.New(cfg)
	require.NoError(t, err)
	require.Error(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1", Pool: "default"}), "nothing is made unasked")

	var wg sync.WaitGroup
	errs := make(chan error, 3)
	for range cap(errs) {
		wg.Go(func() { errs <- newPooled(t, url, schema).Migrate(t.Context()) })
	}
	wg.Wait()
	for range cap(errs) {
		require.NoError(t, <-errs, "processes that migrate at once")
	}
	require.NoError(t, q.Migrate(t.Context()), "again")
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1", Pool: "default"}))
	require.Equal(t, 1, count(t, pool, schema, "true"))
	require.Equal(t, 0, count(t, pool, theirs, "true"))
	var elsewhere int
	require.NoError(t, pool.QueryRow(t.Context(),
		"SELECT count(*) FROM pg_class WHERE relname LIKE 'river%' AND relnamespace = 'public'::regnamespace").Scan(&elsewhere))
	require.Zero(t, elsewhere)
}

// TestMigrateAsARole has a schema that was made for a role, which may make none.
func TestMigrateAsARole(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	q := newQueue(t, river.Config{Pool: pgtest.RolePool(t, url, schema), Schema: schema})
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1", Pool: "default"}))
}

// newPooled is a Queue of another process, as far as the database can tell.
func newPooled(t *testing.T, url, schema string) *river.Queue {
	q, err := river.New(river.Config{Pool: pgtest.Pool(t, url), Schema: schema})
	require.NoError(t, err)
	return q
}

func TestManyWhoEnqueueAnIDMakeOneJob(t *testing.T) {
	t.Parallel()
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	newQueue(t, river.Config{Pool: pool, Schema: schema})
	const ids, enqueuers = 20, 16
	queues := []*river.Queue{newPooled(t, url, schema), newPooled(t, url, schema)}
	errs := make(chan error, enqueuers)
	for i := range enqueuers {
		var jobs []queue.Job
		for k := range ids { // each in an order of its own, and some twice
			jobs = append(jobs, queue.Job{ID: fmt.Sprint((k*7+i)%ids, ".1"), Kind: "test", Pool: "default"})
		}
		jobs = append(jobs, jobs[:3]...)
		go func() { errs <- queues[i%2].Enqueue(t.Context(), jobs...) }()
	}
	for range enqueuers {
		require.NoError(t, <-errs)
	}
	require.Equal(t, ids, count(t, pool, schema, "true"))
}

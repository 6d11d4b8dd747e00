package river_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/river"
)

// The binary starts itself again with these set, works on a job and is killed.
const victimURL, victimSchema = "FORGE_RIVER_VICTIM_URL", "FORGE_RIVER_VICTIM_SCHEMA"

func TestTheJobOfADeadProcessIsInNobodysWay(t *testing.T) {
	t.Parallel()
	if os.Getenv(victimURL) != "" {
		dieAtWork(t)
	}
	url, schema := pgtest.Schema(t)
	pool := pgtest.Pool(t, url)
	q := newQueue(t, river.Config{Pool: pool, Schema: schema})
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "a.1", Kind: "test", Pool: "default"}))

	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), victimURL+"="+url, victimSchema+"="+schema)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "at work on ") {
	}
	require.Equal(t, "at work on a.1", lines.Text())
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	got := make(chan queue.Job, 3)
	run(t, q, queue.Pools{"default": 1}, report(got))
	for _, id := range []string{"a.1", "a.2"} {
		require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: id, Kind: "test", Pool: "default"}))
	}
	require.Equal(t, "a.2", recv(t, got, "the next epoch").ID, "what still counts as running does not come")
	require.Equal(t, 1, count(t, pool, schema, "args->>'id' = 'a.1' AND state = 'running'"))
}

func dieAtWork(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), os.Getenv(victimURL))
	require.NoError(t, err)
	q, err := river.New(river.Config{Pool: pool, Schema: os.Getenv(victimSchema)})
	require.NoError(t, err)
	err = q.Run(t.Context(), queue.Pools{"default": 1}, func(_ context.Context, job queue.Job) error {
		fmt.Println("at work on", job.ID)
		select {} // until killed
	})
	require.NoError(t, err)
}

func TestARestartOfTheDatabaseLosesNothing(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, pgtest.Options{Durable: true})
	q := newQueue(t, river.Config{Pool: pgtest.Pool(t, s.URL()), Schema: "forge", PollInterval: 100 * time.Millisecond})
	got := make(chan queue.Job, 3)
	run(t, q, queue.Pools{"default": 1}, report(got))
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "before.1", Kind: "test", Pool: "default"}))
	require.Equal(t, "before.1", recv(t, got, "a job").ID)

	due := time.Now().Add(2 * time.Second)
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "meanwhile.1", Kind: "test", Pool: "default", RunAt: due}))
	s.Kill(t)
	require.Error(t, q.Enqueue(t.Context(), queue.Job{ID: "lost.1", Kind: "test", Pool: "default"}))
	s.Start(t)
	require.Equal(t, "meanwhile.1", recv(t, got, "what was enqueued before a crash").ID)
	require.NoError(t, q.Enqueue(t.Context(), queue.Job{ID: "after.1", Kind: "test", Pool: "default"}))
	require.Equal(t, "after.1", recv(t, got, "a job after it").ID)
}

package memory_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/queue/memory"
)

// Whatever Runs come and go while jobs are added, each job runs once, and as
// soon as it is due and there is room for it.
func TestRunsThatComeAndGoLoseNoJob(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		type step struct{ op, n, delay int }
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				op:    rapid.IntRange(0, 3).Draw(rt, "op"),
				n:     rapid.IntRange(1, 5).Draw(rt, "n"),
				delay: rapid.IntRange(0, 3).Draw(rt, "delay"),
			}
		}), 1, 40).Draw(rt, "steps")

		want, ran := make(map[string]int), make(map[string]int)
		synctest.Test(t, func(t *testing.T) {
			q := memory.New(memory.Config{})
			var mu sync.Mutex
			work := func(_ context.Context, job queue.Job) error {
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				ran[job.ID]++
				return nil
			}
			var stopped sync.WaitGroup
			var stops []func()
			for _, s := range steps {
				switch s.op {
				case 0:
					for range s.n {
						job := queue.Job{ID: strconv.Itoa(len(want)), Pool: "p"}
						if s.delay > 0 {
							job.RunAt = time.Now().Add(time.Duration(s.delay-1) * time.Second)
						}
						want[job.ID] = 1
						require.NoError(t, q.Enqueue(t.Context(), job, job))
					}
				case 1:
					stops = append(stops, run(t, q, queue.Pools{"p": s.n, "idle": 1}, work))
				case 2:
					if len(stops) > 0 {
						stopped.Go(stops[0])
						stops = stops[1:]
					}
				case 3:
					time.Sleep(time.Duration(s.delay) * time.Second / 2)
				}
			}
			stops = append(stops, run(t, q, queue.Pools{"p": 200}, work))
			time.Sleep(5 * time.Second) // the longest delay, the length of a job, and some more
			synctest.Wait()
			for _, stop := range stops {
				stopped.Go(stop)
			}
			stopped.Wait()
		})
		require.Equal(rt, want, ran)
	})
}

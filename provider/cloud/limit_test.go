package cloud_test

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/cloud"
)

func TestWindowsAreExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		windows := []cloud.Window{{N: 4, Per: 2 * time.Second}, {N: 10, Per: time.Minute}}
		l := cloud.NewLimiter(cloud.Limits{Windows: windows})
		var taken []time.Time
		for start := time.Now(); time.Since(start) < 5*time.Minute; {
			done, err := l.Take(t.Context())
			var limit *provider.RateLimitError
			if errors.As(err, &limit) {
				require.Greater(t, time.Until(limit.Reset), time.Second, "a shorter wait is waited for")
				time.Sleep(time.Until(limit.Reset))
				continue
			}
			require.NoError(t, err)
			taken = append(taken, time.Now())
			done()
			time.Sleep(time.Duration(len(taken)%7) * 10 * time.Millisecond)
		}
		requireWithin(t, taken, windows)
		require.GreaterOrEqual(t, len(taken), 49, "nor is a place left empty")
	})
}

func requireWithin(t *testing.T, taken []time.Time, windows []cloud.Window) {
	t.Helper()
	for _, w := range windows {
		for i := w.N; i < len(taken); i++ {
			require.GreaterOrEqual(t, taken[i].Sub(taken[i-w.N]), w.Per, "%d in %v at %d", w.N, w.Per, i)
		}
	}
}

// A vendor with a bucket of requests that is filled up at a rate, and with windows.
type vendor struct {
	size    int
	every   time.Duration
	windows []cloud.Window
	empty   bool // to begin with

	mu       sync.Mutex
	full     time.Time // when it is full again
	answered []time.Time
	refused  int
}

// ask is one request. It answers what the vendor's headers say.
func (v *vendor) ask() (left int, next time.Time, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	missing := max(0, v.full.Sub(now))
	ok = time.Duration(v.size)*v.every-missing >= v.every
	for _, w := range v.windows {
		ok = ok && (len(v.answered) < w.N || now.Sub(v.answered[len(v.answered)-w.N]) >= w.Per)
	}
	if !ok {
		v.refused++
	} else {
		missing += v.every
		v.full = now.Add(missing)
		v.answered = append(v.answered, now)
	}
	have := time.Duration(v.size)*v.every - missing
	return int(have / v.every), now.Add(v.every - have%v.every), ok
}

// jobs are due at some time, as those of a queue are.
type jobs []time.Time

func (j jobs) Len() int           { return len(j) }
func (j jobs) Less(a, b int) bool { return j[a].Before(j[b]) }
func (j jobs) Swap(a, b int)      { j[a], j[b] = j[b], j[a] }
func (j *jobs) Push(v any)        { *j = append(*j, v.(time.Time)) }
func (j *jobs) Pop() any {
	last := (*j)[len(*j)-1]
	*j = (*j)[:len(*j)-1]
	return last
}

// Of 1,000 jobs none is lost, each asks the vendor once, and the last is served
// not much later than the limits allow.
func TestThousandJobsByThreeWorkers(t *testing.T) {
	t.Parallel()
	minute := cloud.Window{N: 250, Per: time.Minute}
	for name, test := range map[string]struct {
		vendor  *vendor
		windows []cloud.Window // that the limiter was told of
		idle    time.Duration  // before the jobs come
		least   time.Duration
		within  float64 // of the least
	}{
		"a bucket":                  {&vendor{size: 100, every: time.Second}, nil, 0, 900 * time.Second, 1.02},
		"an empty bucket":           {&vendor{size: 100, every: time.Second, empty: true}, nil, 0, 1000 * time.Second, 1.02},
		"a bucket that fills again": {&vendor{size: 3600, every: time.Second, empty: true}, nil, time.Hour, 0, 0},
		"a window":                  {&vendor{size: 5000, every: 720 * time.Millisecond, windows: []cloud.Window{minute}}, []cloud.Window{minute}, 0, 180 * time.Second, 1.34},
		"both":                      {&vendor{size: 100, every: time.Second, windows: []cloud.Window{minute}}, []cloud.Window{minute}, 0, 900 * time.Second, 1.02},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := test.vendor
				v.full = time.Now()
				if v.empty {
					v.full = v.full.Add(time.Duration(v.size) * v.every)
				}
				l := cloud.NewLimiter(cloud.Limits{Every: v.every, Windows: test.windows})
				serve := func(ctx context.Context) error {
					done, err := l.Take(ctx)
					if err != nil {
						return err
					}
					defer done()
					time.Sleep(20 * time.Millisecond)
					left, next, ok := v.ask()
					l.Seen(left, next)
					if !ok {
						return &provider.RateLimitError{Reset: time.Now().Add(time.Second)}
					}
					return nil
				}
				if test.idle > 0 {
					require.Error(t, serve(t.Context()))
					time.Sleep(test.idle)
				}
				begin := time.Now()
				const workers = 3
				served, wakeups := work(t, 1000, workers, serve)
				require.Equal(t, 1000, served)
				requireWithin(t, v.answered, v.windows)
				require.LessOrEqual(t, v.refused, workers, "each learns of the limit by a refusal at most")
				took := time.Since(begin)
				slack := 10 * time.Second // three workers need 7 for 1,000 requests
				require.LessOrEqual(t, took, time.Duration(float64(test.least)*test.within)+slack)
				require.LessOrEqual(t, wakeups, 3*1000, "they do not come all at once, again and again")
			})
		})
	}
}

// work has workers do jobs that are all due at once, each again when its error
// says.
func work(t *testing.T, n, workers int, do func(context.Context) error) (served, wakeups int) {
	var mu sync.Mutex
	queue := make(jobs, n)
	left := n
	take := func() (wait time.Duration, mine, ended bool) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case left == 0:
			return 0, false, true
		case len(queue) == 0 || queue[0].After(time.Now()):
			return 100 * time.Millisecond, false, false
		}
		heap.Pop(&queue)
		return 0, true, false
	}
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				wait, mine, ended := take()
				if ended {
					return
				}
				if !mine {
					time.Sleep(wait)
					continue
				}
				err := do(t.Context())
				mu.Lock()
				wakeups++
				var limit *provider.RateLimitError
				switch {
				case errors.As(err, &limit):
					heap.Push(&queue, limit.Reset)
				case err != nil:
					t.Error(err)
					left--
				default:
					served++
					left--
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return served, wakeups
}

// Those who are told to come back are told different times.
func TestPromisesAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := cloud.NewLimiter(cloud.Limits{Every: time.Second})
		begin := time.Now()
		l.Seen(0, begin.Add(time.Minute))
		for n := range 100 {
			_, err := l.Take(t.Context())
			var limit *provider.RateLimitError
			require.ErrorAs(t, err, &limit)
			require.ErrorIs(t, err, provider.ErrRateLimit)
			require.Equal(t, begin.Add(time.Minute+time.Duration(n)*time.Second), limit.Reset)
		}
		require.Equal(t, begin, time.Now(), "nobody waits in vain")
	})
}

func TestInFlightRequestsCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := cloud.NewLimiter(cloud.Limits{Every: time.Minute})
		l.Seen(2, time.Time{})
		first, err := l.Take(t.Context())
		require.NoError(t, err)
		_, err = l.Take(t.Context())
		require.NoError(t, err)
		_, err = l.Take(t.Context())
		require.ErrorIs(t, err, provider.ErrRateLimit)
		l.Seen(2, time.Time{}) // others have given back theirs
		first()
		first() // is of no more effect
		_, err = l.Take(t.Context())
		require.NoError(t, err)
		_, err = l.Take(t.Context())
		require.ErrorIs(t, err, provider.ErrRateLimit)
	})
}

// An answer that was overtaken by a later one does not give back what that took.
func TestAnswersOvertakeEachOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := cloud.NewLimiter(cloud.Limits{Every: time.Minute})
		first, err := l.Take(t.Context())
		require.NoError(t, err)
		second, err := l.Take(t.Context())
		require.NoError(t, err)
		l.Seen(0, time.Now().Add(time.Minute))
		second()
		l.Seen(1, time.Now().Add(time.Hour)) // alone now, it is believed
		first()
		third, err := l.Take(t.Context())
		require.NoError(t, err)
		l.Seen(1, time.Time{})
		fourth, err := l.Take(t.Context())
		require.ErrorIs(t, err, provider.ErrRateLimit)
		require.Nil(t, fourth)
		third()

		first, err = l.Take(t.Context())
		require.NoError(t, err)
		l.Seen(2, time.Time{})
		second, err = l.Take(t.Context())
		require.NoError(t, err)
		l.Seen(0, time.Now().Add(time.Minute))
		l.Seen(1, time.Now().Add(time.Hour))
		second()
		first()
		_, err = l.Take(t.Context())
		var limit *provider.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.Less(t, time.Until(limit.Reset), 5*time.Minute, "which was not for when there is one left")
	})
}

// A limit that is lifted at once, as by the hour, is learned of though others wait.
func TestLiftedLimitIsLearnedOf(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := cloud.NewLimiter(cloud.Limits{Every: time.Second})
		l.Seen(0, time.Now())
		first, err := l.Take(t.Context())
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			done, err := l.Take(t.Context())
			if err != nil {
				t.Error(err)
				return
			}
			done()
		})
		synctest.Wait()
		l.Seen(1000, time.Time{})
		first()
		for range 900 {
			done, err := l.Take(t.Context())
			require.NoError(t, err)
			defer done()
		}
		wg.Wait()
	})
}

func TestTakeHonoursItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := cloud.NewLimiter(cloud.Limits{Windows: []cloud.Window{{N: 1, Per: time.Second}}})
		done, err := l.Take(t.Context())
		require.NoError(t, err)
		done()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err = l.Take(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Millisecond, time.Since(begin))
		_, err = l.Take(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func ExampleLimiter() {
	l := cloud.NewLimiter(cloud.Limits{Every: time.Hour, Windows: []cloud.Window{{N: 2, Per: time.Minute}}})
	for range 3 {
		done, err := l.Take(context.Background())
		if err != nil {
			fmt.Println(errors.Is(err, provider.ErrRateLimit)) // and it says when to come back
			return
		}
		fmt.Println("asking")
		done()
	}
	// Output:
	// asking
	// asking
	// true
}

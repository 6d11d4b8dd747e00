package cloud_test

import (
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

// account is a vendor's account, which answers after a time.
type account struct {
	takes    time.Duration
	pages    int // that a list takes
	listErr  error
	mu       sync.Mutex
	machines map[string]int // their version
	ones     int
	lists    int
}

func newAccount(machines int) *account {
	a := &account{takes: 100 * time.Millisecond, pages: 1, machines: make(map[string]int)}
	for n := range machines {
		a.machines[fmt.Sprint(n)] = 0
	}
	return a
}

func (a *account) fleet() *cloud.Fleet { return &cloud.Fleet{One: a.one, List: a.list} }

// change changes a machine, as a vendor does at some time before it answers.
func (a *account) change(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.machines[id]++
}

func (a *account) version(id string) string {
	return fmt.Sprint(a.machines[id])
}

func (a *account) one(ctx context.Context, id string) (*provider.Machine, error) {
	a.mu.Lock()
	a.ones++
	_, ok := a.machines[id]
	m := &provider.Machine{ID: id, Labels: map[string]string{"version": a.version(id)}}
	a.mu.Unlock()
	if err := cloud.Sleep(ctx, a.takes); err != nil {
		return nil, err
	}
	if !ok {
		return nil, provider.ErrNotFound
	}
	return m, nil
}

func (a *account) list(ctx context.Context) (all []*provider.Machine, requests int, err error) {
	a.mu.Lock()
	a.lists++
	for id := range a.machines {
		all = append(all, &provider.Machine{ID: id, Labels: map[string]string{"version": a.version(id)}})
	}
	a.mu.Unlock()
	if err := cloud.Sleep(ctx, a.takes); err != nil {
		return nil, 0, err
	}
	if a.listErr != nil {
		return nil, 0, a.listErr
	}
	return all, a.pages, nil
}

// getAll gets n machines at once.
func getAll(t *testing.T, f *cloud.Fleet, n int) (errs []error) {
	t.Helper()
	var wg sync.WaitGroup
	errs = make([]error, n)
	for i := range n {
		wg.Go(func() {
			m, err := f.Get(t.Context(), fmt.Sprint(i))
			if errs[i] = err; err == nil && m.ID != fmt.Sprint(i) {
				t.Errorf("asked for %d, got %s", i, m.ID)
			}
		})
	}
	wg.Wait()
	return errs
}

func TestManyAreAnsweredByOneList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(1000)
		f := a.fleet()
		for range 10 {
			for _, err := range getAll(t, f, 1000) {
				require.NoError(t, err)
			}
		}
		require.Equal(t, 1, a.lists)
		require.LessOrEqual(t, a.ones, 1)
		time.Sleep(5 * time.Second)
		getAll(t, f, 1000)
		require.Equal(t, 2, a.lists, "an answer is of the age that was asked for")
	})
}

func TestFewAreAskedForDirectly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(1000)
		a.pages = 20
		f := a.fleet()
		for range 100 { // one server is waited for
			_, err := f.Get(t.Context(), "1")
			require.NoError(t, err)
			time.Sleep(5 * time.Second)
		}
		require.Zero(t, a.lists)
		require.Equal(t, 100, a.ones)

		getAll(t, f, 1000) // now it is known what a list costs
		require.Equal(t, 1, a.lists)
		ones := a.ones
		time.Sleep(40 * time.Second)
		for range 10 {
			for _, err := range getAll(t, f, 19) {
				require.NoError(t, err)
			}
			time.Sleep(40 * time.Second)
		}
		require.Equal(t, 1, a.lists, "20 requests for a list of 19")
		require.Equal(t, 190, a.ones-ones)
		a.pages = 1
		for range 10 {
			getAll(t, f, 19)
			time.Sleep(40 * time.Second)
		}
		require.Greater(t, a.lists, 1, "what a list costs is not known for ever")
	})
}

// Machines that come one after the other are each asked for, as a list that is
// young does not have them; it takes no list for each.
func TestNewMachinesTakeNoListEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(0)
		f := a.fleet()
		for n := range 1000 {
			id := fmt.Sprint(n)
			a.change(id)
			f.Changed(id)
			a.pages = 1 + n/50
			for range 3 {
				_, err := f.Get(t.Context(), id)
				require.NoError(t, err)
			}
		}
		require.Less(t, a.ones+a.lists*10, 2*3000)
	})
}

// 1,000 machines that are looked at every few seconds, in a budget of 3,600 requests
// an hour.
func TestPollingFitsTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(1000)
		a.pages = 20
		f := a.fleet()
		for begin := time.Now(); time.Since(begin) < 10*time.Minute; {
			getAll(t, f, 1000)
			time.Sleep(3 * time.Second)
		}
		require.Less(t, a.ones+a.lists*a.pages, 600)
	})
}

func TestNoAnswerIsOlderThanAChange(t *testing.T) {
	t.Parallel()
	for _, all := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a := newAccount(100)
			f := a.fleet()
			changed := func(id string) {
				a.change(id)
				if all {
					f.Changed()
				} else {
					f.Changed(id)
				}
			}
			requireNow := func(id string) {
				t.Helper()
				m, err := f.Get(t.Context(), id)
				require.NoError(t, err)
				a.mu.Lock()
				defer a.mu.Unlock()
				require.Equal(t, a.version(id), m.Labels["version"])
			}
			getAll(t, f, 100)
			changed("7")
			requireNow("7") // after a list
			requireNow("8")

			time.Sleep(time.Minute)
			waiting := make(chan []error)
			go func() { waiting <- getAll(t, f, 100) }()
			time.Sleep(50 * time.Millisecond)
			changed("7") // while a list is on its way
			requireNow("7")
			for _, err := range <-waiting {
				require.NoError(t, err)
			}
			require.LessOrEqual(t, a.lists, 4)
			require.Less(t, a.ones, 10)
			requireNow("7")
			requireNow("8")
		})
	}
}

// Whatever is asked and changed at once, nobody gets what was before the last
// change that was told before.
func TestChangesAndQuestionsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(10)
		f := a.fleet()
		var wg sync.WaitGroup
		for n := range 10 {
			id := fmt.Sprint(n)
			wg.Go(func() {
				for i := range 300 {
					a.change(id)
					f.Changed(id)
					want := fmt.Sprint(i + 1)
					for range n % 4 {
						m, err := f.Get(t.Context(), id)
						if err != nil || m.Labels["version"] != want {
							t.Errorf("machine %s at %s: %v, %v", id, want, m, err)
						}
					}
					time.Sleep(time.Duration(n*17) * time.Millisecond)
				}
			})
		}
		wg.Wait()
		require.NotZero(t, a.lists)
	})
}

func TestListThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("it is down")
	for name, fail := range map[string]struct {
		err   error
		takes time.Duration
		want  error
	}{
		"broken":     {broken, time.Second, broken},
		"rate limit": {&provider.RateLimitError{}, time.Second, provider.ErrRateLimit},
		"never ends": {nil, time.Hour, provider.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAccount(1000)
				f := a.fleet()
				a.listErr, a.takes = fail.err, fail.takes
				f.One = newAccount(1000).one // which works
				failed := 0
				for _, err := range getAll(t, f, 1000) {
					if err != nil {
						require.ErrorIs(t, err, fail.want)
						failed++
					}
				}
				require.Equal(t, 1, a.lists)
				require.GreaterOrEqual(t, failed, 998, "not 1,000 requests follow")
				_, err := f.Get(t.Context(), "1")
				require.NoError(t, err, "the next one is asked for directly")
				a.listErr, a.takes = nil, time.Second
				for _, err := range getAll(t, f, 1000) {
					require.NoError(t, err)
				}
			})
		})
	}
}

func TestCallerWhoLeavesHurtsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(3)
		f := a.fleet()
		_, err := f.Get(t.Context(), "0")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := f.Get(ctx, "1") // begins the list
			first <- err
		}()
		synctest.Wait()
		require.Equal(t, 1, a.lists)
		second := make(chan error)
		go func() {
			_, err := f.Get(t.Context(), "2")
			second <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		require.NoError(t, <-second)
		require.Equal(t, 1, a.lists)
		_, err = f.Get(ctx, "2")
		require.ErrorIs(t, err, context.Canceled, "also where the answer is known")
	})
}

// What one caller does with an answer does not reach another.
func TestAnswersAreCopies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newAccount(3).fleet()
		getAll(t, f, 3)
		m, err := f.Get(t.Context(), "2")
		require.NoError(t, err)
		m.Name, m.Labels["version"] = "other", "other"
		m, err = f.Get(t.Context(), "2")
		require.NoError(t, err)
		require.Empty(t, m.Name)
		require.Equal(t, "0", m.Labels["version"])
	})
}

func TestMachineThatIsNotListed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(2)
		f := a.fleet()
		getAll(t, f, 2)
		_, err := f.Get(t.Context(), "gone")
		require.ErrorIs(t, err, provider.ErrNotFound)
		require.Equal(t, 1, a.lists)
	})
}

package digitalocean_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
)

// TestFaults makes and deletes a thousand machines while every third request goes
// wrong, before or after its effect: each is made once, and nothing is left.
func TestFaults(t *testing.T) {
	t.Parallel()
	const machines, workers = 1000, 10
	synctest.Test(t, func(t *testing.T) {
		api, way, _ := account(t, fake.Config{Boot: 20 * time.Second, Dying: time.Second, Missing: 1})
		var mu sync.Mutex
		lost := 0 // orders of which the answer never came
		faults := fakecloud.RandomFaults(1, 3)
		way.Fault = func(r *http.Request) fakecloud.Fault {
			fault := faults(r)
			if fault.Lost && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets") {
				mu.Lock()
				defer mu.Unlock()
				lost++
			}
			return fault
		}
		var wg sync.WaitGroup
		for w := range workers {
			// One each, as they would share one rate limit.
			p := connect(t, way, digitalocean.Config{})
			wg.Go(func() {
				for n := range machines / workers {
					live(t, p, spec(t, fmt.Sprintf("m-%d-%d", w, n)))
				}
			})
		}
		wg.Wait()
		// One that was not found for the first time just after it was ordered to be
		// deleted counts as gone, and is so a moment later.
		time.Sleep(2 * time.Second)
		require.Equal(t, machines, api.Made(), "a lost answer makes no second droplet")
		for _, d := range api.Droplets() {
			t.Error("left:", d.ID, d.Name, d.Tags)
		}
		require.Zero(t, len(api.Keys()), "no key is left")
		require.Greater(t, lost, machines/10)
		t.Logf("%d orders for %d droplets, %d answers lost", api.Taken(order), machines, lost)
	})
}

// live makes a machine, by two callers at once, and deletes it, both with as many
// tries as that takes.
func live(t *testing.T, p *digitalocean.Provider, s provider.Spec) {
	ids := make([]string, 2)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			insist(t, func() error {
				m, err := p.Create(t.Context(), s)
				if err == nil {
					ids[i] = m.ID
				}
				return err
			})
		})
	}
	wg.Wait()
	if ids[0] != ids[1] {
		t.Errorf("two machines: %v", ids)
	}
	insist(t, func() error { return p.Delete(t.Context(), ids[0]) })
}

// insist tries again what fails in passing.
func insist(t *testing.T, do func() error) {
	for {
		err := do()
		var limited *provider.RateLimitError
		switch {
		case err == nil:
			return
		case errors.As(err, &limited):
			time.Sleep(time.Until(limited.Reset))
		case errors.Is(err, provider.ErrUnavailable):
			time.Sleep(5 * time.Second)
		default:
			t.Error(err)
			return
		}
	}
}

// TestLostThousandTimes has the answer to the order lost for each of a thousand
// machines.
func TestLostThousandTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{})
		way.Fault = func(r *http.Request) fakecloud.Fault {
			return fakecloud.Fault{Lost: r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/droplets")}
		}
		for n := range 1000 {
			s := spec(t, fmt.Sprint("m-", n))
			insist(t, func() error {
				_, err := p.Create(t.Context(), s)
				return err
			})
		}
		require.Equal(t, 1000, api.Made())
		require.Equal(t, 1000, api.Taken(order), "none is given twice")
		require.Len(t, api.Keys(), 1000)
	})
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, way, p := account(t, fake.Config{})
		way.Fault = func(*http.Request) fakecloud.Fault { return fakecloud.Fault{Delay: time.Hour} }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.Create(ctx, spec(t, "a"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

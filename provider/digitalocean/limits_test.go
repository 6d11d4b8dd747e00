package digitalocean_test

import (
	"errors"
	"fmt"
	"net/http"
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

// TestLimits provisions a thousand machines at once by the vendor's own rate limits:
// they take turns, and no request is refused.
func TestLimits(t *testing.T) {
	t.Parallel()
	const machines, workers = 1000, 3
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{PerHour: 5000, PerMinute: 250, Boot: 30 * time.Second})
		var mu sync.Mutex
		refused := 0
		// The other tests hold the same answers against the description.
		way.Check = func(_ *http.Request, _ []byte, answer *http.Response, _ []byte) {
			if answer.StatusCode == http.StatusTooManyRequests {
				mu.Lock()
				defer mu.Unlock()
				refused++
			}
		}
		work := make(chan provider.Spec)
		var wg, up sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for s := range work {
					insist(t, func() error {
						m, err := p.Create(t.Context(), s)
						if err == nil {
							up.Go(func() { await(t, p, m.ID) })
						}
						return err
					})
				}
			})
		}
		began := time.Now()
		for n := range machines {
			work <- spec(t, fmt.Sprint("m-", n))
		}
		close(work)
		wg.Wait()
		up.Wait()
		require.Equal(t, machines, api.Made())
		require.Zero(t, refused)
		t.Logf("%d machines in %v", machines, time.Since(began))
		require.Less(t, time.Since(began), 2*time.Hour)
	})
}

// await asks for a machine every 5 seconds until it is active.
func await(t *testing.T, p *digitalocean.Provider, id string) {
	for {
		m, err := p.Get(t.Context(), id)
		var limited *provider.RateLimitError
		switch {
		case errors.As(err, &limited):
			time.Sleep(time.Until(limited.Reset))
			continue
		case err != nil && !errors.Is(err, provider.ErrNotFound):
			t.Error(err)
			return
		case err == nil && m.Status == provider.StatusActive:
			return
		}
		time.Sleep(5 * time.Second)
	}
}

func TestRefusedByLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, way, p := account(t, fake.Config{PerMinute: 3})
		for range 3 {
			_, err := p.List(t.Context())
			require.NoError(t, err)
		}
		_, err := p.List(t.Context())
		var limited *provider.RateLimitError
		require.ErrorAs(t, err, &limited)
		require.WithinDuration(t, time.Now().Add(time.Minute), limited.Reset, 2*time.Second)
		sent := 0
		way.Fault = func(*http.Request) fakecloud.Fault { sent++; return fakecloud.Fault{} }
		_, err = p.List(t.Context())
		require.ErrorIs(t, err, provider.ErrRateLimit)
		require.Zero(t, sent, "what would be refused is not sent")
		time.Sleep(time.Until(limited.Reset))
		_, err = p.List(t.Context())
		require.NoError(t, err)
	})
}

// TestOthersInTheAccount has somebody else use up what the account has left.
func TestOthersInTheAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{PerHour: 10})
		other := connect(t, way, digitalocean.Config{})
		for range 9 {
			_, err := other.List(t.Context())
			require.NoError(t, err)
		}
		_, err := p.List(t.Context())
		require.NoError(t, err)
		_, err = p.List(t.Context())
		var limited *provider.RateLimitError
		require.ErrorAs(t, err, &limited)
		require.Equal(t, 10, api.Taken("GET /v2/droplets"), "the answer before said that none is left")
		require.WithinDuration(t, time.Now().Add(time.Hour), limited.Reset, 2*time.Second)
		time.Sleep(time.Until(limited.Reset))
		_, err = p.List(t.Context())
		require.NoError(t, err)
	})
}

// TestOrderRefusedByLimit has the vendor refuse the order for its limit: its key waits
// for the next try, which is told when to come.
func TestOrderRefusedByLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, _, p := account(t, fake.Config{})
		api.Refuse(order, http.StatusTooManyRequests, "too_many_requests", "API Rate limit exceeded.")
		s := spec(t, "a")
		_, err := p.Create(t.Context(), s)
		var limited *provider.RateLimitError
		require.ErrorAs(t, err, &limited)
		require.Len(t, api.Keys(), 1)
		time.Sleep(time.Until(limited.Reset))
		m, err := p.Create(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, p.Delete(t.Context(), m.ID))
		require.Empty(t, api.Keys())
	})
}

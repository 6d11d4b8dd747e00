package hetzner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

// again does what a platform does: another try at what passes.
func again[T any](t *testing.T, call func() (T, error)) (v T, err error) {
	t.Helper()
	for range 200 {
		if v, err = call(); !errors.Is(err, provider.ErrUnavailable) && !errors.Is(err, provider.ErrRateLimit) {
			return v, err
		}
		time.Sleep(time.Second) // of the bubble
	}
	t.Error("it never went well")
	return v, err
}

// TestLostAnswers has requests go wrong at random, before and after their effect,
// while two processes with two callers each ask for the same machine.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	const seeds, groups = 1000, 4
	for group := range groups {
		t.Run(fmt.Sprint("group ", group), func(t *testing.T) {
			t.Parallel()
			for seed := group; seed < seeds && !t.Failed(); seed += groups {
				synctest.Test(t, func(t *testing.T) { lostAnswers(t, uint64(seed)) })
			}
		})
	}
}

func lostAnswers(t *testing.T, seed uint64) {
	api := fake.New(fake.Config{Boot: 7 * time.Second, Dying: time.Second, Hidden: time.Duration(seed%4) * time.Second})
	net := network(t, api)
	net.Fault = fakecloud.RandomFaults(seed, 3)
	if seed%8 != 0 { // it takes most of the time
		net.Check = nil
	}
	processes := []provider.Provider{connect(t, net, "token"), connect(t, net, "token")}
	asked := spec(int(seed))
	asked.Backups = seed%3 == 0

	var wg sync.WaitGroup
	ids := make([]string, 2*len(processes))
	for i := range ids {
		wg.Go(func() {
			m, err := again(t, func() (*provider.Machine, error) { return processes[i/2].Create(t.Context(), asked) })
			if assert.NoError(t, err) {
				ids[i] = m.ID
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, api.Made(), "seed %d", seed)
	require.Len(t, api.Servers(), 1)
	require.Equal(t, asked.Backups, api.Servers()[0].Backups)
	for _, id := range ids {
		require.Equal(t, fmt.Sprint(api.Servers()[0].ID), id)
	}

	for _, p := range processes {
		wg.Go(func() {
			_, err := again(t, func() (any, error) { return nil, p.Delete(t.Context(), ids[0]) })
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	require.Empty(t, api.Servers(), "seed %d", seed)
	require.Empty(t, api.Keys(), "seed %d", seed)
}

// TestRefusedAmongFaults leaves no entry of a key where no server can be made.
func TestRefusedAmongFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			w := faulty(t, fake.Config{Servers: 1}, fakecloud.RandomFaults(seed, 3))
			w.api.AddServer("database", nil)
			_, err := again(t, func() (any, error) { return w.Create(t.Context(), spec(1)) })
			require.ErrorIs(t, err, provider.ErrQuota)
			require.Empty(t, w.api.Keys(), "seed %d", seed)
		})
	}
}

// TestCancelled leaves nothing of a Create that its caller gave up in the midst,
// unless there is a machine.
func TestCancelled(t *testing.T) {
	t.Parallel()
	for _, effect := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			order := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/v1/servers" }
			w := faulty(t, fake.Config{}, func(r *http.Request) fakecloud.Fault {
				if order(r) && !effect {
					cancel()
				}
				return fakecloud.Fault{Lost: order(r) && effect}
			})
			w.net.Check = func(r *http.Request, _ []byte, _ *http.Response, _ []byte) {
				if order(r) {
					cancel()
				}
			}
			m, err := w.Create(ctx, spec(1))
			if effect {
				require.NoError(t, err)
				require.Equal(t, fmt.Sprint(w.api.Servers()[0].ID), m.ID)
				return
			}
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, w.api.Servers())
			require.Empty(t, w.api.Keys())
		})
	}
}

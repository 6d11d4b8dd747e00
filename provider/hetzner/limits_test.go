package hetzner_test

import (
	"errors"
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

// TestManyAtOnce makes a thousand servers, waits until they are active and deletes
// them, by the vendor's real limit: nobody is refused without being told when to come
// back, and nobody has to come back again and again.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := fake.New(fake.Config{PerHour: 3600, Boot: 20 * time.Second})
		p := connect(t, &fakecloud.Transport{Handler: api}, "token")
		began := time.Now()
		var all, waits sync.Map
		patiently := func(n int, call func() error) {
			err := call()
			for limited := new(provider.RateLimitError); errors.As(err, &limited); err = call() {
				time.Sleep(time.Until(limited.Reset))
				count, _ := waits.LoadOrStore(n, new(int))
				*count.(*int)++
			}
			assert.NoError(t, err)
		}
		var wg sync.WaitGroup
		const many = 1000
		for n := range many {
			wg.Go(func() {
				s := spec(n)
				s.AuthorizedKey = newKey()
				var m *provider.Machine
				patiently(n, func() (err error) { m, err = p.Create(t.Context(), s); return err })
				for m.Status != provider.StatusActive {
					time.Sleep(5 * time.Second)
					patiently(n, func() (err error) { m, err = p.Get(t.Context(), m.ID); return err })
				}
				all.Store(m.ID, true)
				patiently(n, func() error { return p.Delete(t.Context(), m.ID) })
			})
		}
		wg.Wait()
		require.Equal(t, many, api.Made())
		require.Empty(t, api.Servers())
		require.Empty(t, api.Keys())
		most := 0
		waits.Range(func(_, count any) bool { most = max(most, *count.(*int)); return true })
		t.Logf("took %v of the vendor's time; at most %d waits for one server", time.Since(began), most)
		require.Less(t, time.Since(began), 2*time.Hour)
	})
}

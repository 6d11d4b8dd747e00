package digitalocean_test

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
)

// fill makes n machines of forge without asking for them.
func fill(api *fake.API, n int) (ids []string) {
	for i := range n {
		ids = append(ids, strconv.Itoa(api.AddDroplet(fmt.Sprint("web-", i), "forge", fmt.Sprint("forge:id:m-", i))))
	}
	return ids
}

func TestPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, _, p := account(t, fake.Config{})
		ids := fill(api, 450)
		api.AddDroplet("foreign", "forge")
		all, err := p.List(t.Context())
		require.NoError(t, err)
		var listed []string
		for _, m := range all {
			listed = append(listed, m.ID)
		}
		require.ElementsMatch(t, ids, listed)
		require.Equal(t, 3, api.Taken("GET /v2/droplets"))
	})
}

// TestMovingPages deletes a machine between two pages, so that another one moves to
// the page that was read already.
func TestMovingPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{})
		ids := fill(api, 450)
		newest, lists := ids[len(ids)-1], 0
		way.Fault = func(r *http.Request) fakecloud.Fault {
			if lists++; lists == 2 {
				straight := &fakecloud.Transport{Handler: api}
				gone := r.Clone(r.Context())
				gone.Method = http.MethodDelete
				gone.URL = r.URL.JoinPath(newest)
				resp, err := straight.RoundTrip(gone)
				if err != nil {
					t.Error(err)
					return fakecloud.Fault{}
				}
				_ = resp.Body.Close()
			}
			return fakecloud.Fault{}
		}
		all, err := p.List(t.Context())
		require.NoError(t, err)
		listed := make(map[string]bool)
		for _, m := range all {
			listed[m.ID] = true
		}
		for _, id := range ids[:len(ids)-1] {
			require.True(t, listed[id], "machine %s is passed over", id)
		}
		require.Len(t, all, len(listed), "none is listed twice")
	})
}

// TestManyLooks asks for 400 machines at once, which takes few requests.
func TestManyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{PerMinute: 250})
		way.Fault = func(*http.Request) fakecloud.Fault { return fakecloud.Fault{Delay: 100 * time.Millisecond} }
		var wg sync.WaitGroup
		for i, id := range fill(api, 400) {
			wg.Go(func() {
				m, err := p.Get(t.Context(), id)
				if err != nil || m.SpecID != fmt.Sprint("m-", i) {
					t.Errorf("%v: %v", m, err)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, api.Taken("GET /v2/droplets")+api.Taken("GET /v2/droplets/{id}"), 6)
	})
}

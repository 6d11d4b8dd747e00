package digitalocean_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestCatalog(t *testing.T) {
	t.Parallel()
	_, _, p := account(t, fake.Config{})
	c, err := p.Catalog(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), c.AsOf, time.Minute)
	require.Contains(t, c.Regions, provider.Region{Name: "fra1", Description: "Frankfurt 1", Available: true})
	require.Contains(t, c.Regions, provider.Region{Name: "ams2", Description: "Amsterdam 2"})
	price, ok := c.Price("s-1vcpu-1gb", "fra1")
	require.True(t, ok)
	require.Equal(t, provider.Price{Monthly: "6", Hourly: "0.00893", Currency: "USD"}, price)
	_, ok = c.Price("s-1vcpu-512mb-10gb", "fra1")
	require.False(t, ok)
	_, ok = c.Price("s-1vcpu-3gb", "fra1")
	require.False(t, ok, "it is sold out everywhere")
	require.Contains(t, c.Sizes, provider.Size{Name: "c-2", Description: "CPU-Optimized", Architecture: provider.X86, Cores: 2, MemoryMB: 4096, DiskGB: 25,
		Offers: []provider.Offer{{Region: "fra1", Price: provider.Price{Monthly: "42", Hourly: "0.0625", Currency: "USD"}}}})
	var images []string
	for _, i := range c.Images {
		images = append(images, i.Name)
	}
	require.Equal(t, []string{"debian-12", "debian-13", "ubuntu-22.04", "ubuntu-24.04", "fedora-42"}, images)
}

// TestCatalogIsKept has a hundred ask at once, and again later.
func TestCatalogIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api, way, p := account(t, fake.Config{})
		way.Fault = func(*http.Request) fakecloud.Fault { return fakecloud.Fault{Delay: time.Second} }
		ask := func() {
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					_, err := p.Catalog(t.Context())
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		ask()
		ask()
		require.Equal(t, 1, api.Taken("GET /v2/sizes"))
		time.Sleep(11 * time.Minute)
		ask()
		require.Equal(t, 2, api.Taken("GET /v2/sizes"))
	})
}

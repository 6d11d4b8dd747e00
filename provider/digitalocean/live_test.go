package digitalocean_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/secret"
)

// TestLive goes the whole way at the vendor, with two droplets of the smallest size
// for some minutes, which are deleted also when it fails.
func TestLive(t *testing.T) {
	t.Parallel()
	token := os.Getenv("DIGITALOCEAN_TOKEN")
	if token == "" {
		t.Skip("nothing was tried at DigitalOcean, as DIGITALOCEAN_TOKEN is not set")
	}
	p, err := digitalocean.New(digitalocean.Config{Token: secret.New(token), Namespace: "forge-live-test"})
	require.NoError(t, err)
	catalog, err := p.Catalog(t.Context())
	require.NoError(t, err)
	size, region := cheapest(t, catalog)
	t.Logf("two of %s in %s", size, region)
	providertest.Test(t, p, &providertest.Options{
		Spec:      func(int) provider.Spec { return provider.Spec{Size: size, Region: region, Image: "debian-12"} },
		UnknownID: "1",
	})
}

// cheapest is the size with the least memory, and where it is to be had.
func cheapest(t *testing.T, c *provider.Catalog) (size, region string) {
	t.Helper()
	least := 0
	for _, s := range c.Sizes {
		for _, o := range s.Offers {
			spec := provider.Spec{Size: s.Name, Region: o.Region, Image: "debian-12"}
			if (least == 0 || s.MemoryMB < least) && c.Check(spec) == nil {
				least, size, region = s.MemoryMB, s.Name, o.Region
			}
		}
	}
	require.NotEmpty(t, size, "the catalogue has nothing to offer")
	return size, region
}

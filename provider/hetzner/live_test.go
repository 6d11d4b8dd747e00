package hetzner_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/hetzner"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/secret"
)

// TestLive makes real servers, the cheapest that there are, logs in to one and
// deletes them, also when it fails.
func TestLive(t *testing.T) {
	token := os.Getenv("HCLOUD_TOKEN")
	if token == "" {
		t.Skip("not run at the vendor: HCLOUD_TOKEN is not set; it is an API token of a project with the right to read and write")
	}
	p, err := hetzner.New(hetzner.Config{Token: secret.New(token), Namespace: "forge-live-test"})
	require.NoError(t, err)
	require.NoError(t, p.Validate(t.Context()))
	c, err := p.Catalog(t.Context())
	require.NoError(t, err)
	asked := cheapest(t, c)
	price, _ := c.Price(asked.Size, asked.Region)
	t.Logf("%s in %s for %s %s an hour", asked.Size, asked.Region, price.Hourly, price.Currency)

	providertest.Test(t, p, &providertest.Options{
		Spec:      func(int) provider.Spec { return asked },
		UnknownID: "1",
	})
	left, err := p.List(t.Context())
	require.NoError(t, err)
	for _, m := range left { // of a run that was killed
		require.NoError(t, p.Delete(t.Context(), m.ID))
	}
}

// cheapest is a spec of the size that costs least, where it is to be had.
func cheapest(t *testing.T, c *provider.Catalog) provider.Spec {
	t.Helper()
	var best provider.Spec
	var least float64
	for _, size := range c.Sizes {
		for _, offer := range size.Offers {
			hourly, err := strconv.ParseFloat(offer.Price.Hourly, 64)
			require.NoError(t, err)
			spec := provider.Spec{Region: offer.Region, Size: size.Name, Image: "debian-12"}
			if (best.Size == "" || hourly < least) && c.Check(spec) == nil {
				best, least = spec, hourly
			}
		}
	}
	require.NotEmpty(t, best.Size, "nothing is to be had")
	return best
}

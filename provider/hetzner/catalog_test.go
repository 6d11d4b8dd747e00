package hetzner_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
)

func TestCatalog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	w.api.SellOut("cpx11", "ash")
	c, err := w.Catalog(t.Context())
	require.NoError(t, err)

	region := func(name string) provider.Region {
		return c.Regions[slices.IndexFunc(c.Regions, func(r provider.Region) bool { return r.Name == name })]
	}
	require.Equal(t, provider.Region{Name: "fsn1", Description: "Falkenstein DC Park 1", Available: true}, region("fsn1"))
	require.False(t, region("ash").Available, "all is sold out")

	size := func(name string) provider.Size {
		return c.Sizes[slices.IndexFunc(c.Sizes, func(s provider.Size) bool { return s.Name == name })]
	}
	price := provider.Price{Monthly: "3.2900000000000000", Hourly: "0.0048000000000000", Currency: "EUR"}
	require.Equal(t, provider.Size{
		Name: "cax11", Description: "CAX11", Architecture: provider.Arm, Cores: 2, MemoryMB: 4096, DiskGB: 40,
		Offers: []provider.Offer{{Region: "fsn1", Price: price}, {Region: "hel1", Price: price}},
	}, size("cax11"))
	require.Empty(t, size("cx22").Offers, "it is no longer offered")
	require.Equal(t, 2026, size("cx22").Deprecated.Year())
	require.Equal(t, 2100, size("cpx11").Deprecated.Year())

	require.Contains(t, c.Images, provider.Image{Name: "debian-12", Description: "debian-12", Architecture: provider.Arm})
	old := c.Images[slices.IndexFunc(c.Images, func(i provider.Image) bool { return i.Name == "debian-11" })]
	require.Equal(t, time.Date(2100, 2, 28, 0, 0, 0, 0, time.UTC), old.Deprecated.UTC())
}

func TestCatalogIsReadAnewWhenItIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{})
		for range 3 {
			_, err := w.Catalog(t.Context())
			require.NoError(t, err)
		}
		require.Equal(t, 1, w.api.Taken("GET /server_types"))
		time.Sleep(10 * time.Minute)
		_, err := w.Catalog(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, w.api.Taken("GET /server_types"))
	})
}

package provider_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
)

func newCatalog() *provider.Catalog {
	offers := func(price string, regions ...string) (all []provider.Offer) {
		for _, r := range regions {
			all = append(all, provider.Offer{Region: r, Price: provider.Price{Monthly: price, Hourly: "0.01", Currency: "EUR"}})
		}
		return all
	}
	return &provider.Catalog{
		Regions: []provider.Region{{Name: "fra1", Available: true}, {Name: "ams2", Available: true}, {Name: "nyc1"}},
		Sizes: []provider.Size{
			{Name: "small", Architecture: provider.X86, Offers: offers("4.00", "fra1", "nyc1")},
			{Name: "big", Architecture: provider.X86, Offers: append(offers("8.00", "fra1"), offers("9.00", "ams2")...)},
			{Name: "arm", Architecture: provider.Arm, Offers: offers("3.00", "fra1")},
			{Name: "sold-out", Architecture: provider.X86},
		},
		Images: []provider.Image{
			{Name: "debian-12", Architecture: provider.X86}, {Name: "debian-12", Architecture: provider.Arm},
			{Name: "debian-13"},
			{Name: "x86-only", Architecture: provider.X86},
			{Name: "snapshot", Regions: []string{"ams2"}},
		},
	}
}

func TestCatalogCheck(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		region, size, image string
		want                error
		says                string // after the sentinel
	}{
		"offered":         {"fra1", "small", "debian-12", nil, ""},
		"another image":   {"fra1", "arm", "debian-12", nil, ""},
		"for both":        {"fra1", "arm", "debian-13", nil, ""},
		"image is there":  {"ams2", "big", "snapshot", nil, ""},
		"unknown region":  {"mars1", "small", "debian-12", provider.ErrInvalid, `region "mars1" does not exist; there are ams2, fra1, nyc1`},
		"no region":       {"", "small", "debian-12", provider.ErrInvalid, `region "" does not exist; there are ams2, fra1, nyc1`},
		"closed region":   {"nyc1", "small", "debian-12", provider.ErrCapacity, "region nyc1 takes no new machines; there are ams2, fra1"},
		"unknown size":    {"ams2", "huge", "debian-12", provider.ErrInvalid, `size "huge" does not exist; in ams2 there are big`},
		"size elsewhere":  {"ams2", "small", "debian-12", provider.ErrCapacity, "size small is not available in ams2; there are big, and small is available in fra1, nyc1"},
		"sold out":        {"fra1", "sold-out", "debian-12", provider.ErrCapacity, "size sold-out is not available in fra1; there are arm, big, small, and sold-out is available in none"},
		"unknown image":   {"fra1", "small", "plan9", provider.ErrInvalid, `image "plan9" does not exist for size small (x86) in fra1; there are debian-12, debian-13, x86-only`},
		"other processor": {"fra1", "arm", "x86-only", provider.ErrInvalid, `image "x86-only" does not exist for size arm (arm) in fra1; there are debian-12, debian-13`},
		"image elsewhere": {"fra1", "small", "snapshot", provider.ErrInvalid, `image "snapshot" does not exist for size small (x86) in fra1; there are debian-12, debian-13, x86-only`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := newCatalog().Check(provider.Spec{Region: test.region, Size: test.size, Image: test.image})
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
			require.EqualError(t, err, test.want.Error()+": "+test.says)
		})
	}
}

func TestCheckLeavesTheCatalog(t *testing.T) {
	t.Parallel()
	c := newCatalog()
	for _, region := range []string{"fra1", "nyc1", "ams2", "x"} {
		for _, size := range []string{"small", "x"} {
			_ = c.Check(provider.Spec{Region: region, Size: size, Image: "x"})
		}
	}
	require.Equal(t, newCatalog(), c, "others read it")
}

func TestCatalogPrice(t *testing.T) {
	t.Parallel()
	c := newCatalog()
	price, ok := c.Price("big", "ams2")
	require.True(t, ok)
	require.Equal(t, provider.Price{Monthly: "9.00", Hourly: "0.01", Currency: "EUR"}, price)
	for _, at := range [][2]string{{"small", "ams2"}, {"huge", "fra1"}, {"sold-out", "fra1"}, {"", ""}} {
		_, ok := c.Price(at[0], at[1])
		require.False(t, ok, at)
	}
}

func ExampleCatalog_Check() {
	catalog := &provider.Catalog{
		Regions: []provider.Region{{Name: "fra1", Available: true}, {Name: "ams2", Available: true}},
		Sizes: []provider.Size{
			{Name: "s-1vcpu-1gb", Offers: []provider.Offer{{Region: "fra1"}}},
			{Name: "s-2vcpu-2gb", Offers: []provider.Offer{{Region: "ams2"}}},
		},
	}
	fmt.Println(catalog.Check(provider.Spec{Region: "ams2", Size: "s-1vcpu-1gb"}))
	// Output:
	// no capacity at the provider: size s-1vcpu-1gb is not available in ams2; there are s-2vcpu-2gb, and s-1vcpu-1gb is available in fra1
}

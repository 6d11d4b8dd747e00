package providertest

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
)

// unknown is no region, size or image.
const unknown = "no-such-thing"

var (
	decimal  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	currency = regexp.MustCompile(`^[A-Z]{3}$`)
)

// hasACatalog looks at what the provider offers: whether it is whole, and whether
// Create goes by it.
func (s *suite) hasACatalog(t *testing.T) {
	c, err := s.p.(provider.Cataloger).Catalog(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), c.AsOf, 24*time.Hour)
	requireRegions(t, c)
	requireSizes(t, c)
	requireImages(t, c)

	first := s.first
	if first.Region != "" && first.Size != "" && first.Image != "" {
		require.NoError(t, c.Check(first), "the machine that the suite makes")
		_, ok := c.Price(first.Size, first.Region)
		require.True(t, ok)
	}
	for what, change := range map[string]func(*provider.Spec){
		"region": func(spec *provider.Spec) { spec.Region = unknown },
		"size":   func(spec *provider.Spec) { spec.Size = unknown },
		"image":  func(spec *provider.Spec) { spec.Image = unknown },
	} {
		spec := offered(t, c)
		require.NoError(t, c.Check(spec))
		change(&spec)
		require.ErrorIs(t, c.Check(spec), provider.ErrInvalid, "an unknown %s", what)

		spec = s.first
		change(&spec)
		m, err := s.p.Create(t.Context(), spec)
		if m != nil {
			s.a = m // is deleted at the end
		}
		require.ErrorIs(t, err, provider.ErrInvalid, "Create with an unknown %s", what)
		require.ErrorContains(t, err, unknown, "it says what it does not know")
	}
	s.requireNone(t)
}

// offered returns something that is to be had.
func offered(t *testing.T, c *provider.Catalog) provider.Spec {
	t.Helper()
	for _, size := range c.Sizes {
		for _, offer := range size.Offers {
			for _, image := range c.Images {
				spec := provider.Spec{Region: offer.Region, Size: size.Name, Image: image.Name}
				if c.Check(spec) == nil {
					return spec
				}
			}
		}
	}
	require.FailNow(t, "nothing in the catalogue can be had")
	return provider.Spec{}
}

func requireRegions(t *testing.T, c *provider.Catalog) {
	t.Helper()
	require.NotEmpty(t, c.Regions)
	seen := make(map[string]bool)
	for _, r := range c.Regions {
		require.NotEmpty(t, r.Name)
		require.False(t, seen[r.Name], "region %s is there twice", r.Name)
		seen[r.Name] = true
	}
}

func requireSizes(t *testing.T, c *provider.Catalog) {
	t.Helper()
	require.NotEmpty(t, c.Sizes)
	seen := make(map[string]bool)
	for _, size := range c.Sizes {
		require.NotEmpty(t, size.Name)
		require.False(t, seen[size.Name], "size %s is there twice", size.Name)
		seen[size.Name] = true
		require.Contains(t, []provider.Architecture{provider.X86, provider.Arm}, size.Architecture, "size %s", size.Name)
		require.Positive(t, size.Cores, "size %s", size.Name)
		require.Positive(t, size.MemoryMB, "size %s", size.Name)
		require.Positive(t, size.DiskGB, "size %s", size.Name)
		for _, o := range size.Offers {
			require.True(t, has(c.Regions, func(r provider.Region) bool { return r.Name == o.Region }), "size %s: no region %q", size.Name, o.Region)
			require.Regexp(t, decimal, o.Price.Monthly, "size %s", size.Name)
			require.Regexp(t, decimal, o.Price.Hourly, "size %s", size.Name)
			require.Regexp(t, currency, o.Price.Currency, "size %s", size.Name)
		}
	}
}

func requireImages(t *testing.T, c *provider.Catalog) {
	t.Helper()
	require.NotEmpty(t, c.Images)
	for _, image := range c.Images {
		require.NotEmpty(t, image.Name)
		require.Contains(t, []provider.Architecture{"", provider.X86, provider.Arm}, image.Architecture, "image %s", image.Name)
		for _, region := range image.Regions {
			require.True(t, has(c.Regions, func(r provider.Region) bool { return r.Name == region }), "image %s: no region %q", image.Name, region)
		}
	}
}

func has[T any](list []T, match func(T) bool) bool { return slices.ContainsFunc(list, match) }

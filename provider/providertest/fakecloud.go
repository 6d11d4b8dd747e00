package providertest

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/seed-797f2c2c/forge/provider"
)

// FakeCloud is a Fake that has a catalogue. Create goes by it, and takes the first
// region, size and image where a spec leaves the choice.
type FakeCloud struct{ *Fake }

var (
	_ provider.Cataloger = (*FakeCloud)(nil)
	_ provider.Resizer   = (*FakeCloud)(nil)
	_ provider.Rebuilder = (*FakeCloud)(nil)
)

// NewFakeCloud makes a FakeCloud that offers the sizes "small", "big" and "arm" in
// "fra1" and some of them in "ams2", with Debian.
func NewFakeCloud(cfg FakeConfig) *FakeCloud {
	f := NewFake(cfg)
	f.catalog = smallCatalog()
	return &FakeCloud{f}
}

func smallCatalog() *provider.Catalog {
	at := func(region, monthly, hourly string) provider.Offer {
		return provider.Offer{Region: region, Price: provider.Price{Monthly: monthly, Hourly: hourly, Currency: "EUR"}}
	}
	return &provider.Catalog{
		Regions: []provider.Region{{Name: "fra1", Available: true}, {Name: "ams2", Available: true}, {Name: "nyc1"}},
		Sizes: []provider.Size{
			{Name: "small", Architecture: provider.X86, Cores: 1, MemoryMB: 1024, DiskGB: 25, Offers: []provider.Offer{at("fra1", "4.00", "0.006")}},
			{Name: "big", Architecture: provider.X86, Cores: 4, MemoryMB: 8192, DiskGB: 160, Offers: []provider.Offer{at("fra1", "40.00", "0.06"), at("ams2", "44.00", "0.066")}},
			{Name: "arm", Architecture: provider.Arm, Cores: 2, MemoryMB: 4096, DiskGB: 40, Offers: []provider.Offer{at("fra1", "3.50", "0.005")}},
		},
		Images: []provider.Image{{Name: "debian-12"}, {Name: "debian-13", Architecture: provider.X86}},
	}
}

// offers checks what a spec asks for against the catalogue, if there is one.
func (f *Fake) offers(spec provider.Spec) error {
	if f.catalog == nil {
		return nil
	}
	return f.catalog.Check(f.filled(spec))
}

// filled is a spec with the provider's choices in it.
func (f *Fake) filled(spec provider.Spec) provider.Spec {
	spec.Region = cmp.Or(spec.Region, f.catalog.Regions[0].Name)
	spec.Size = cmp.Or(spec.Size, f.catalog.Sizes[0].Name)
	spec.Image = cmp.Or(spec.Image, f.catalog.Images[0].Name)
	return spec
}

// Catalog implements provider.Cataloger.
func (f *FakeCloud) Catalog(ctx context.Context) (*provider.Catalog, error) {
	var c provider.Catalog
	err := f.call(ctx, Call{Op: OpCatalog}, func(Fault) error {
		c = *f.catalog
		c.AsOf = time.Now()
		return nil
	})
	return answer(&c, err)
}

// Resize implements provider.Resizer.
func (f *FakeCloud) Resize(ctx context.Context, id, size string) error {
	return f.order(ctx, OpResize, id, func(m *fakeMachine) error {
		spec := m.spec
		spec.Size = size
		if err := f.offers(spec); err != nil {
			return err
		}
		if !m.off {
			return fmt.Errorf("%w: switch machine %s off first", provider.ErrConflict, id)
		}
		m.spec = spec
		return nil
	})
}

// Rebuild implements provider.Rebuilder.
func (f *FakeCloud) Rebuild(ctx context.Context, id, image string) error {
	return f.order(ctx, OpRebuild, id, func(m *fakeMachine) error {
		spec := m.spec
		spec.Image = image
		if err := f.offers(spec); err != nil {
			return err
		}
		m.spec, m.off = spec, false
		return nil
	})
}

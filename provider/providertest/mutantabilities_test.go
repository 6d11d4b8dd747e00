package providertest_test

import (
	"context"
	"net/netip"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
)

// order is an order that concerns one machine.
type order struct {
	op       providertest.Op
	id, what string // what it gets, if anything
}

// sound does an order as a sound provider does.
func (b broken) sound(ctx context.Context, o order) error {
	switch o.op {
	case providertest.OpPowerOn:
		return b.FakeCloud.PowerOn(ctx, o.id)
	case providertest.OpPowerOff:
		return b.FakeCloud.PowerOff(ctx, o.id)
	case providertest.OpReboot:
		return b.FakeCloud.Reboot(ctx, o.id)
	case providertest.OpResize:
		return b.FakeCloud.Resize(ctx, o.id, o.what)
	default:
		return b.FakeCloud.Rebuild(ctx, o.id, o.what)
	}
}

func (b broken) do(ctx context.Context, o order) error {
	if b.order == nil {
		return b.sound(ctx, o)
	}
	return b.order(ctx, o)
}

func (b broken) PowerOn(ctx context.Context, id string) error {
	return b.do(ctx, order{op: providertest.OpPowerOn, id: id})
}

func (b broken) PowerOff(ctx context.Context, id string) error {
	return b.do(ctx, order{op: providertest.OpPowerOff, id: id})
}

func (b broken) Reboot(ctx context.Context, id string) error {
	return b.do(ctx, order{op: providertest.OpReboot, id: id})
}

func (b broken) Resize(ctx context.Context, id, size string) error {
	return b.do(ctx, order{providertest.OpResize, id, size})
}

func (b broken) Rebuild(ctx context.Context, id, image string) error {
	return b.do(ctx, order{providertest.OpRebuild, id, image})
}

func (b broken) Catalog(ctx context.Context) (*provider.Catalog, error) {
	c, err := b.FakeCloud.Catalog(ctx)
	if err == nil && b.catalog != nil {
		b.catalog(c)
	}
	return c, err
}

// onCatalog changes the catalogue on its way out.
func onCatalog(change func(*provider.Catalog)) func(broken) provider.Provider {
	return func(b broken) provider.Provider {
		b.catalog = change
		return b
	}
}

// onOrder answers one kind of order in place of the provider.
func onOrder(op providertest.Op, answer func(context.Context, broken, order) error) func(broken) provider.Provider {
	return func(b broken) provider.Provider {
		b.order = func(ctx context.Context, o order) error {
			if o.op != op {
				return b.sound(ctx, o)
			}
			return answer(ctx, b, o)
		}
		return b
	}
}

// known is an order that is refused as it should be, and done with another end.
func known(ctx context.Context, b broken, o order, then func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := b.Fake.Get(ctx, o.id); err != nil {
		return err
	}
	return then()
}

func forgotten(ctx context.Context, b broken, o order) error {
	return known(ctx, b, o, func() error { return nil })
}

// onlyOnce does an order, and fails where it was done already.
func onlyOnce() func(context.Context, broken, order) error {
	done := false
	return func(ctx context.Context, b broken, o order) error {
		return known(ctx, b, o, func() error {
			if done {
				return provider.ErrConflict
			}
			done = true
			return b.sound(ctx, o)
		})
	}
}

func abilityMutants() []mutant {
	const catalog, power = "HasACatalog", "SwitchesPower"
	return []mutant{
		{"takes options that it does not have", onSpec(func(spec *provider.Spec) { spec.Options = provider.Options{} }), "RefusesWhatItDoesNotOffer", false},
		{"offers nothing", onCatalog(func(c *provider.Catalog) { c.Sizes = nil }), catalog, false},
		{"has no regions", onCatalog(func(c *provider.Catalog) { c.Regions = nil }), catalog, false},
		{"has no images", onCatalog(func(c *provider.Catalog) { c.Images = nil }), catalog, false},
		{"does not say how old it is", onCatalog(func(c *provider.Catalog) { c.AsOf = c.AsOf.AddDate(-1, 0, 0) }), catalog, false},
		{"has a size twice", onCatalog(func(c *provider.Catalog) { c.Sizes = append(c.Sizes[:1:1], c.Sizes...) }), catalog, false},
		{"offers where it is not", onCatalog(func(c *provider.Catalog) { c.Regions = c.Regions[:1] }), catalog, false},
		{"does not know its architecture", onSizes(func(s *provider.Size) { s.Architecture = "" }), catalog, false},
		{"has prices in words", onSizes(func(s *provider.Size) {
			s.Offers = priced(s.Offers, provider.Price{Monthly: "4 EUR", Hourly: "0.01", Currency: "EUR"})
		}), catalog, false},
		{"has prices of no currency", onSizes(func(s *provider.Size) { s.Offers = priced(s.Offers, provider.Price{Monthly: "4", Hourly: "0.01"}) }), catalog, false},
		{"takes unknown sizes", onUnknown(func(spec *provider.Spec) { spec.Size = "small" }), catalog, false},
		{"takes unknown regions", onUnknown(func(spec *provider.Spec) { spec.Region = "fra1" }), catalog, false},
		{"takes unknown images", onUnknown(func(spec *provider.Spec) { spec.Image = "debian-12" }), catalog, false},
		{"switches what it does not know", onOrder(providertest.OpPowerOff, func(ctx context.Context, b broken, o order) error {
			if _, err := b.Fake.Get(ctx, o.id); err != nil {
				return ctx.Err()
			}
			return b.sound(ctx, o)
		}), "KnowsNoOtherMachines", false},
		{"switches without its context", onOrder(providertest.OpReboot, func(_ context.Context, b broken, o order) error {
			return b.sound(context.Background(), o)
		}), "HonoursADoneContext", false},
		{"does not switch off", onOrder(providertest.OpPowerOff, forgotten), power, false},
		{"does not switch on", onOrder(providertest.OpPowerOn, forgotten), power, false},
		{"does not switch off twice", onOrder(providertest.OpPowerOff, onlyOnce()), power, false},
		{"does not switch on twice", onOrder(providertest.OpPowerOn, onlyOnce()), power, false},
		{"does not come back from a restart", onOrder(providertest.OpReboot, func(ctx context.Context, b broken, o order) error {
			return b.FakeCloud.PowerOff(ctx, o.id)
		}), power, false},
		{"makes another machine for one that is off", func(b broken) provider.Provider {
			b.create = func(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
				for _, m := range b.Machines() {
					if m.SpecID == spec.ID && m.Status == provider.StatusOff {
						_ = b.Fake.Delete(ctx, m.ID)
					}
				}
				return b.Fake.Create(ctx, spec)
			}
			return b
		}, power, false},
		{"resizes to anything", onOrder(providertest.OpResize, forgotten), "Resizes", false},
		{"does not resize twice", onOrder(providertest.OpResize, func() func(context.Context, broken, order) error {
			once := onlyOnce()
			return func(ctx context.Context, b broken, o order) error {
				if o.what != "big" {
					return b.sound(ctx, o)
				}
				return once(ctx, b, o)
			}
		}()), "Resizes", false},
		{"rebuilds with anything", onOrder(providertest.OpRebuild, forgotten), "Rebuilds", false},
		{"moves with a rebuild", func(b broken) provider.Provider {
			moved := false
			b.order = func(ctx context.Context, o order) error {
				err := b.sound(ctx, o)
				moved = moved || (err == nil && o.op == providertest.OpRebuild)
				return err
			}
			b.get = func(ctx context.Context, id string) (*provider.Machine, error) {
				m, err := b.Fake.Get(ctx, id)
				if err == nil && moved {
					m.IPv4 = netip.MustParseAddr("203.0.113.7")
				}
				return m, err
			}
			return b
		}, "Rebuilds", false},
	}
}

func onSizes(change func(*provider.Size)) func(broken) provider.Provider {
	return onCatalog(func(c *provider.Catalog) {
		sizes := append([]provider.Size(nil), c.Sizes...)
		for i := range sizes {
			change(&sizes[i])
		}
		c.Sizes = sizes
	})
}

func priced(offers []provider.Offer, price provider.Price) (all []provider.Offer) {
	for _, o := range offers {
		all = append(all, provider.Offer{Region: o.Region, Price: price})
	}
	return all
}

// onUnknown has Create put something else where it does not know what is asked for.
func onUnknown(change func(*provider.Spec)) func(broken) provider.Provider {
	return onSpec(func(spec *provider.Spec) {
		if strings.Contains(spec.Region+spec.Size+spec.Image, "no-such-") {
			change(spec)
		}
	})
}

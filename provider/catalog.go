package provider

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Cataloger is implemented by providers that can say what they offer.
type Cataloger interface {
	// Catalog returns what the provider offers. It may be of some age, which is
	// in Catalog.AsOf. It is the caller's to read, not to change.
	Catalog(ctx context.Context) (*Catalog, error)
}

// Catalog is what a provider offers.
type Catalog struct {
	Regions []Region
	Sizes   []Size
	Images  []Image
	AsOf    time.Time // when the provider was asked
}

// Region is a place where machines can be made.
type Region struct {
	Name        string // as Spec.Region names it
	Description string
	Available   bool // takes new machines
}

// Architecture is that of a processor.
type Architecture string

// The architectures.
const (
	X86 Architecture = "x86"
	Arm Architecture = "arm"
)

// Size is a kind of machine.
type Size struct {
	Name         string // as Spec.Size names it
	Description  string
	Architecture Architecture
	Cores        int
	MemoryMB     int // MiB
	DiskGB       int // GB of the root disk
	// Offers are the regions where machines of the size can be made now, with
	// their price there.
	Offers []Offer
	// Deprecated is when the size is no longer offered; zero if that is not
	// planned.
	Deprecated time.Time
}

// Offer is a size in a region.
type Offer struct {
	Region string
	Price  Price
}

// Price is what a machine costs, without taxes, in decimal notation as the
// provider gives it.
type Price struct {
	Monthly, Hourly string
	Currency        string // ISO 4217
}

// Image is what a machine starts with.
type Image struct {
	Name         string // as Spec.Image names it
	Description  string
	Architecture Architecture // empty where one name stands for all
	Deprecated   time.Time    // when the image is no longer offered; zero if that is not planned
	Regions      []string     // where it is; none says everywhere
}

// Price returns the price of a size in a region, or false where there is none.
func (c *Catalog) Price(size, region string) (Price, bool) {
	s := find(c.Sizes, func(s Size) bool { return s.Name == size })
	if s == nil {
		return Price{}, false
	}
	o := find(s.Offers, func(o Offer) bool { return o.Region == region })
	if o == nil {
		return Price{}, false
	}
	return o.Price, true
}

// Check checks the region, the size and the image of a spec, none of which may
// be empty. Its error wraps ErrInvalid or, where what is asked for exists and is
// not to be had there now, ErrCapacity; it says what is offered instead.
func (c *Catalog) Check(spec Spec) error {
	region := find(c.Regions, func(r Region) bool { return r.Name == spec.Region })
	if region == nil {
		return fmt.Errorf("%w: region %q does not exist; there are %s", ErrInvalid, spec.Region, names(c.Regions, regionName))
	}
	size := find(c.Sizes, func(s Size) bool { return s.Name == spec.Size })
	if size == nil {
		return fmt.Errorf("%w: size %q does not exist; in %s there are %s", ErrInvalid, spec.Size, spec.Region,
			names(c.sizesIn(spec.Region), sizeName))
	}
	if !region.Available {
		open := slices.DeleteFunc(slices.Clone(c.Regions), func(r Region) bool { return !r.Available })
		return fmt.Errorf("%w: region %s takes no new machines; there are %s", ErrCapacity, spec.Region, names(open, regionName))
	}
	if !size.in(spec.Region) {
		return fmt.Errorf("%w: size %s is not available in %s; there are %s, and %s is available in %s", ErrCapacity,
			spec.Size, spec.Region, names(c.sizesIn(spec.Region), sizeName), spec.Size, names(size.Offers, offerRegion))
	}
	fits := func(i Image) bool {
		return (i.Architecture == "" || i.Architecture == size.Architecture) && (len(i.Regions) == 0 || slices.Contains(i.Regions, spec.Region))
	}
	if find(c.Images, func(i Image) bool { return i.Name == spec.Image && fits(i) }) == nil {
		images := slices.DeleteFunc(slices.Clone(c.Images), func(i Image) bool { return !fits(i) })
		return fmt.Errorf("%w: image %q does not exist for size %s (%s) in %s; there are %s", ErrInvalid, spec.Image, spec.Size,
			size.Architecture, spec.Region, names(images, imageName))
	}
	return nil
}

func (s *Size) in(region string) bool {
	return find(s.Offers, func(o Offer) bool { return o.Region == region }) != nil
}

func (c *Catalog) sizesIn(region string) []Size {
	return slices.DeleteFunc(slices.Clone(c.Sizes), func(s Size) bool { return !s.in(region) })
}

func find[T any](list []T, match func(T) bool) *T {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return &list[i]
	}
	return nil
}

func regionName(r Region) string { return r.Name }
func sizeName(s Size) string     { return s.Name }
func imageName(i Image) string   { return i.Name }
func offerRegion(o Offer) string { return o.Region }

// names lists names for a message, without one twice.
func names[T any](list []T, name func(T) string) string {
	all := make([]string, len(list))
	for i, v := range list {
		all[i] = name(v)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

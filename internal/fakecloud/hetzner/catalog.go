package hetzner

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud/schema"
)

// offer is a server type in a location.
type offer struct{ size, region string }

// SellOut has a server type be not available in a location.
func (a *API) SellOut(size, region string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.soldOut[offer{size, region}] = true
}

var locations = []schema.Location{
	{ID: 1, Name: "fsn1", Description: "Falkenstein DC Park 1", Country: "DE", City: "Falkenstein", Latitude: 50.47612, Longitude: 12.370071, NetworkZone: "eu-central"},
	{ID: 2, Name: "nbg1", Description: "Nuremberg DC Park 1", Country: "DE", City: "Nuremberg", Latitude: 49.452102, Longitude: 11.076665, NetworkZone: "eu-central"},
	{ID: 3, Name: "hel1", Description: "Helsinki DC Park 1", Country: "FI", City: "Helsinki", Latitude: 60.169855, Longitude: 24.938379, NetworkZone: "eu-central"},
	{ID: 4, Name: "ash", Description: "Ashburn, VA", Country: "US", City: "Ashburn, VA", Latitude: 39.045821, Longitude: -77.487073, NetworkZone: "us-east"},
}

type serverType struct {
	id           int64
	name, text   string
	architecture string
	cores, disk  int
	memory       float32
	monthly      string
	locations    []string
	ends         time.Time // in all of its locations; zero if it stays
}

var types = []serverType{
	{104, "cx22", "CX22", "x86", 2, 40, 4, "3.2900000000000000", []string{"fsn1", "nbg1"}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	{114, "cx23", "CX23", "x86", 2, 40, 4, "2.9900000000000000", []string{"fsn1", "nbg1", "hel1"}, time.Time{}},
	{115, "cx33", "CX33", "x86", 4, 80, 8, "4.9900000000000000", []string{"fsn1", "nbg1", "hel1"}, time.Time{}},
	{45, "cax11", "CAX11", "arm", 2, 40, 4, "3.2900000000000000", []string{"fsn1", "hel1"}, time.Time{}},
	{22, "cpx11", "CPX 11", "x86", 2, 40, 2, "4.3500000000000000", []string{"ash"}, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)},
}

func findType(name string) (serverType, bool) {
	i := slices.IndexFunc(types, func(t serverType) bool { return t.name == name || strconv.FormatInt(t.id, 10) == name })
	if i < 0 {
		return serverType{}, false
	}
	return types[i], true
}

type image struct {
	id                          int64
	name, architecture, flavour string
	ends                        time.Time
}

var images = []image{
	{114690387, "debian-12", "x86", "debian", time.Time{}},
	{114690389, "debian-12", "arm", "debian", time.Time{}},
	{161547269, "ubuntu-24.04", "x86", "ubuntu", time.Time{}},
	{161547270, "ubuntu-24.04", "arm", "ubuntu", time.Time{}},
	{45557056, "debian-11", "x86", "debian", time.Date(2100, 2, 28, 0, 0, 0, 0, time.UTC)},
	{103908130, "rocky-9", "x86", "rocky", time.Time{}},
}

func findImage(id int64) (image, bool) {
	i := slices.IndexFunc(images, func(i image) bool { return i.id == id })
	if i < 0 {
		return image{}, false
	}
	return images[i], true
}

func (a *API) listLocations(r *http.Request) answer { return page(r, "locations", locations) }

func (a *API) listTypes(r *http.Request) answer {
	shown := make([]schema.ServerType, len(types))
	for i, t := range types {
		shown[i] = a.showType(t)
	}
	return page(r, "server_types", shown)
}

func (a *API) listImages(r *http.Request) answer {
	query := r.URL.Query()
	shown := []schema.Image{}
	for _, i := range images {
		if i.ends.IsZero() || query.Get("include_deprecated") == "true" {
			shown = append(shown, i.show())
		}
	}
	return page(r, "images", shown)
}

func (a *API) pricing(*http.Request) answer {
	prices := []schema.PricingServerType{}
	for _, t := range types {
		prices = append(prices, schema.PricingServerType{ID: t.id, Name: t.name, Prices: t.prices()})
	}
	return answer{http.StatusOK, object{"pricing": schema.Pricing{
		Currency:          "EUR",
		VATRate:           "19.00",
		Image:             schema.PricingImage{PricePerGBMonth: price("0.0110")},
		FloatingIP:        schema.PricingFloatingIP{PriceMonthly: price("3.0000")},
		FloatingIPs:       []schema.PricingFloatingIPType{},
		PrimaryIPs:        []schema.PricingPrimaryIP{},
		ServerBackup:      schema.PricingServerBackup{Percentage: "20.00"},
		ServerTypes:       prices,
		LoadBalancerTypes: []schema.PricingLoadBalancerType{},
		Volume:            schema.PricingVolume{PricePerGBPerMonth: price("0.0440")},
	}}}
}

func price(net string) schema.Price { return schema.Price{Net: net, Gross: net} }

func (t serverType) prices() []schema.PricingServerTypePrice {
	prices := make([]schema.PricingServerTypePrice, len(t.locations))
	for i, l := range t.locations {
		prices[i] = schema.PricingServerTypePrice{Location: l, PriceHourly: price("0.0048000000000000"), PriceMonthly: price(t.monthly),
			IncludedTraffic: 20 << 40, PricePerTBTraffic: price("1.0000")}
	}
	return prices
}

func deprecation(ends time.Time) schema.DeprecatableResource {
	if ends.IsZero() {
		return schema.DeprecatableResource{}
	}
	return schema.DeprecatableResource{Deprecation: &schema.DeprecationInfo{Announced: ends.AddDate(0, -3, 0), UnavailableAfter: ends}}
}

func (a *API) showType(t serverType) schema.ServerType {
	s := schema.ServerType{
		ID: t.id, Name: t.name, Description: t.text, Category: "Cost-Optimized", Cores: t.cores, Memory: t.memory, Disk: t.disk,
		StorageType: "local", CPUType: "shared", Architecture: t.architecture, Prices: t.prices(),
		Deprecated: !t.ends.IsZero(), DeprecatableResource: deprecation(t.ends),
	}
	for _, name := range t.locations {
		l, _ := findLocation(name)
		s.Locations = append(s.Locations, schema.ServerTypeLocation{ID: l.ID, Name: name, Available: a.sells(t, name), DeprecatableResource: deprecation(t.ends)})
	}
	return s
}

// sells reports whether a server of a type can be made in a location.
func (a *API) sells(t serverType, location string) bool {
	return slices.Contains(t.locations, location) && !a.soldOut[offer{t.name, location}] && (t.ends.IsZero() || time.Now().Before(t.ends))
}

func findLocation(name string) (schema.Location, bool) {
	i := slices.IndexFunc(locations, func(l schema.Location) bool { return l.Name == name })
	if i < 0 {
		return schema.Location{}, false
	}
	return locations[i], true
}

func (i image) show() schema.Image {
	created, version := time.Date(2023, 6, 13, 0, 0, 0, 0, time.UTC), "1"
	return schema.Image{
		ID: i.id, Status: "available", Type: "system", Name: &i.name, Description: i.name, DiskSize: 5, Created: &created,
		OSFlavor: i.flavour, OSVersion: &version, Architecture: i.architecture, RapidDeploy: true, Labels: map[string]string{},
		DeprecatableResource: deprecation(i.ends),
	}
}

package digitalocean

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

type region struct {
	slug, name string
	available  bool
}

type size struct {
	slug, description   string
	memory, vcpus, disk int
	monthly, hourly     float64
	available           bool
	regions             []string
}

type image struct {
	id                       int
	slug, name, distribution string
	kind                     string // base, snapshot, ...
	application              bool
	public                   bool
	status                   string
	regions                  []string
}

var everywhere = []string{"nyc1", "ams3", "fra1"}

var regions = []region{
	{"nyc1", "New York 1", true},
	{"ams2", "Amsterdam 2", false},
	{"ams3", "Amsterdam 3", true},
	{"fra1", "Frankfurt 1", true},
}

var sizes = []size{
	{"s-1vcpu-512mb-10gb", "Basic", 512, 1, 10, 4, 0.00595, true, []string{"nyc1", "ams3"}},
	{"s-1vcpu-1gb", "Basic", 1024, 1, 25, 6, 0.008929999582469463, true, everywhere},
	{"s-1vcpu-2gb", "Basic", 2048, 1, 50, 12, 0.01786, true, everywhere},
	{"s-2vcpu-4gb", "Basic", 4096, 2, 80, 24, 0.03571, true, everywhere},
	{"c-2", "CPU-Optimized", 4096, 2, 25, 42, 0.0625, true, []string{"fra1"}},
	{"s-1vcpu-3gb", "Basic", 3072, 1, 60, 15, 0.02232, false, []string{}},
}

var images = []image{
	{101, "debian-12-x64", "12 x64", "Debian", "base", false, true, "available", everywhere},
	{102, "debian-13-x64", "13 x64", "Debian", "base", false, true, "available", everywhere},
	{103, "ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", "base", false, true, "available", everywhere},
	{104, "ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", "base", false, true, "available", everywhere},
	{105, "fedora-42-x64", "42 x64", "Fedora", "base", false, true, "available", []string{"nyc1"}},
	{106, "debian-11-x64", "11 x64", "Debian", "base", false, true, "retired", everywhere},
	{107, "docker-20-04", "Docker on Ubuntu", "Ubuntu", "snapshot", true, true, "available", everywhere},
	{108, "", "golden", "Debian", "snapshot", false, false, "available", []string{"fra1"}},
}

func find[T any](list []T, match func(T) bool) (found T, ok bool) {
	if i := slices.IndexFunc(list, match); i >= 0 {
		return list[i], true
	}
	return found, false
}

func findRegion(slug string) (region, bool) {
	return find(regions, func(r region) bool { return r.slug == slug })
}

func findSize(slug string) (size, bool) {
	return find(sizes, func(s size) bool { return s.slug == slug })
}

// findImage finds an image by its slug or its id.
func findImage(name string) (image, bool) {
	return find(images, func(i image) bool { return i.slug == name && name != "" || strconv.Itoa(i.id) == name })
}

func (a *API) listRegions(r *http.Request) answer { return page(r, "regions", regions, region.show) }
func (a *API) listSizes(r *http.Request) answer   { return page(r, "sizes", sizes, size.show) }

func (a *API) listImages(r *http.Request) answer {
	kind := r.URL.Query().Get("type")
	var some []image
	for _, i := range images {
		if i.status == "available" && i.public && (kind == "" || i.application == (kind == "application")) {
			some = append(some, i)
		}
	}
	return page(r, "images", some, image.show)
}

func (a *API) getImage(r *http.Request) answer {
	i, ok := findImage(r.PathValue("id"))
	if !ok {
		return notFound
	}
	return answer{http.StatusOK, object{"image": i.show()}}
}

func (r region) show() object {
	there := []string{}
	for _, s := range sizes {
		if s.available && slices.Contains(s.regions, r.slug) {
			there = append(there, s.slug)
		}
	}
	return object{"slug": r.slug, "name": r.name, "available": r.available, "sizes": there, "features": []string{"backups", "ipv6", "metadata"}}
}

func (s size) show() object {
	return object{
		"slug": s.slug, "description": s.description, "memory": s.memory, "vcpus": s.vcpus, "disk": s.disk, "transfer": 1.0,
		"price_monthly": s.monthly, "price_hourly": s.hourly, "available": s.available, "regions": s.regions,
	}
}

func (i image) show() object {
	o := object{
		"id": i.id, "name": i.name, "distribution": i.distribution, "public": i.public, "type": i.kind, "status": i.status,
		"regions": i.regions, "min_disk_size": 7, "size_gigabytes": 0.54, "tags": []string{}, "description": i.distribution + " " + i.name,
		"created_at": stamp(time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)), "slug": nil,
	}
	if i.slug != "" {
		o["slug"] = i.slug
	}
	return o
}

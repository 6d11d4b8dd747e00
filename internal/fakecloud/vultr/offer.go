package vultr

import "net/http"

var available = map[string][]string{"fra": {"vc2-1c-1gb", "vhf-1c-1gb"}, "ewr": {"vhf-1c-1gb"}, "sea": nil}

// offer answers for what can be had.
func (c *Cloud) offer() {
	list := func(name string, all ...Thing) {
		c.routes.HandleFunc("GET /v2/"+name, func(w http.ResponseWriter, r *http.Request) { c.page(w, r, name, all) })
	}
	list("regions",
		Thing{"id": "fra", "city": "Frankfurt", "country": "DE"},
		Thing{"id": "ewr", "city": "New Jersey", "country": "US"},
		Thing{"id": "sea", "city": "Seattle", "country": "US"})
	list("plans",
		Thing{"id": "vc2-1c-1gb", "vcpu_count": 1, "ram": 1024, "disk": 25, "monthly_cost": 5, "hourly_cost": 0.007, "type": "vc2", "locations": []string{"fra"}},
		Thing{"id": "vhf-1c-1gb", "vcpu_count": 1, "ram": 1024, "disk": 32, "monthly_cost": 6.1, "hourly_cost": 0.009, "type": "vhf", "locations": []string{"fra", "ewr"}})
	list("os",
		Thing{"id": 159, "name": "Custom", "arch": "x64", "family": "iso"},
		Thing{"id": 2136, "name": "Debian 12 x64 (bookworm)", "arch": "x64", "family": "debian"},
		Thing{"id": 2284, "name": "Ubuntu 24.04 LTS x64", "arch": "x64", "family": "ubuntu"},
		Thing{"id": 501, "name": "Windows 2022 Standard x64", "arch": "x64", "family": "windows"},
		Thing{"id": 216, "name": "Ubuntu 16.04 i386", "arch": "i386", "family": "ubuntu"})
	c.routes.HandleFunc("GET /v2/regions/{id}/availability", func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, Thing{"available_plans": available[r.PathValue("id")]})
	})
}

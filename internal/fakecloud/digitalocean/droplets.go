package digitalocean

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Droplet is a machine of the account.
type Droplet struct {
	ID                        int
	Name, Region, Size, Image string
	Status                    string // new, active or off
	Tags                      []string
	Keys                      []string // public keys that root accepts
	UserData                  string
	Backups, Monitoring, IPv6 bool
	Network                   string
	Created                   time.Time

	number  int       // of its addresses
	dies    time.Time // when it is gone, once it is deleted
	missing int       // how often it is not found yet
}

// The vendor's limits.
const (
	maxUserData = 64 << 10
	maxTag      = 255
)

var hostName = regexp.MustCompile(`^[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]$`)

// Droplets returns the droplets that exist, the newest first.
func (a *API) Droplets() []Droplet {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle(time.Now())
	all := make([]Droplet, len(a.droplets))
	for i, d := range a.droplets {
		all[i] = *d
		all[i].Tags = slices.Clone(d.Tags)
	}
	return all
}

// Made returns how many droplets were made by requests, also those that are gone.
func (a *API) Made() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.made
}

// AddDroplet makes a droplet as another user of the account would, and returns its
// id.
func (a *API) AddDroplet(name string, tags ...string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := &Droplet{Name: name, Region: "fra1", Size: "s-1vcpu-1gb", Image: "debian-12-x64", Status: "active", Tags: tags}
	a.add(d)
	return d.ID
}

func (a *API) add(d *Droplet) {
	d.ID, d.Created = a.nextID(), time.Now()
	for i, t := range d.Tags {
		d.Tags[i] = a.tag(t)
	}
	d.number = d.ID - 3164000
	a.droplets = slices.Insert(a.droplets, 0, d)
}

// settle does what the time has brought.
func (a *API) settle(now time.Time) {
	a.droplets = slices.DeleteFunc(a.droplets, func(d *Droplet) bool { return !d.dies.IsZero() && !now.Before(d.dies) })
	for _, act := range a.actions {
		if act.done || now.Before(act.ends) {
			continue
		}
		act.done = true
		if d, ok := a.findDroplet(act.droplet); ok {
			act.apply(d)
		}
	}
}

func (a *API) findDroplet(id int) (*Droplet, bool) {
	return find(a.droplets, func(d *Droplet) bool { return d.ID == id })
}

// asked finds the droplet that a request is about.
func (a *API) asked(r *http.Request) (*Droplet, bool) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, false
	}
	return a.findDroplet(id)
}

func (a *API) listDroplets(r *http.Request) answer {
	some := a.droplets
	if tag := r.URL.Query().Get("tag_name"); tag != "" {
		some = slices.DeleteFunc(slices.Clone(some), func(d *Droplet) bool { return !slices.Contains(d.Tags, tag) })
	}
	return page(r, "droplets", some, a.show)
}

func (a *API) getDroplet(r *http.Request) answer {
	d, ok := a.asked(r)
	if !ok {
		return notFound
	}
	if d.missing > 0 {
		d.missing--
		return notFound
	}
	return answer{http.StatusOK, object{"droplet": a.show(d)}}
}

func (a *API) createDroplet(r *http.Request) answer {
	var asked struct {
		Name       string            `json:"name"`
		Region     string            `json:"region"`
		Size       string            `json:"size"`
		Image      json.RawMessage   `json:"image"`
		Keys       []json.RawMessage `json:"ssh_keys"`
		Backups    bool              `json:"backups"`
		IPv6       bool              `json:"ipv6"`
		Monitoring bool              `json:"monitoring"`
		UserData   string            `json:"user_data"`
		Tags       []string          `json:"tags"`
		Network    string            `json:"vpc_uuid"`
	}
	if err := decode(r, &asked); err != nil {
		return unprocessable(err.Error())
	}
	d := &Droplet{
		Name: asked.Name, Region: asked.Region, Size: asked.Size, Image: strings.Trim(string(asked.Image), `"`), Status: "new",
		Tags: asked.Tags, UserData: asked.UserData, Backups: asked.Backups, Monitoring: asked.Monitoring, IPv6: asked.IPv6,
		Network: asked.Network, missing: a.cfg.Missing,
	}
	for _, raw := range asked.Keys {
		k, ok := a.findKey(strings.Trim(string(raw), `"`))
		if !ok {
			return unprocessable(string(raw) + " are invalid key identifiers for Droplet creation.")
		}
		d.Keys = append(d.Keys, k.PublicKey)
	}
	if wrong := a.wrong(d); wrong != "" {
		return unprocessable(wrong)
	}
	a.add(d)
	a.made++
	created := a.show(d)
	boot := a.begin("create", d, a.cfg.Boot, func(d *Droplet) { d.Status = "active" })
	return answer{http.StatusAccepted, object{"droplet": created, "links": object{"actions": []object{
		{"id": boot.id, "rel": "create", "href": "https://api.digitalocean.com/v2/actions/" + strconv.Itoa(boot.id)},
	}}}}
}

// wrong is what the vendor has against a droplet.
func (a *API) wrong(d *Droplet) string {
	at, region := findRegion(d.Region)
	of, size := findSize(d.Size)
	from, image := findImage(d.Image)
	switch {
	case !hostName.MatchString(d.Name):
		return "Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"
	case !region:
		return "You specified an invalid region for Droplet creation."
	case !at.available:
		return "Region is not available"
	case !size:
		return "You specified an invalid size for Droplet creation."
	case !of.available || !slices.Contains(of.regions, d.Region):
		return "Size is not available in this region."
	case !image || from.status != "available":
		return "You specified an invalid image for Droplet creation."
	case !slices.Contains(from.regions, d.Region):
		return "The image you specified is not available in the selected region, you can transfer it to this region from the images pages."
	case len(d.UserData) > maxUserData:
		return "User data is too long"
	case d.Network != "" && !slices.Contains(a.networks, d.Network):
		return "Failed to resolve VPC"
	case a.cfg.Droplets > 0 && len(a.droplets) >= a.cfg.Droplets:
		return "creating this/these droplet(s) will exceed your droplet limit"
	}
	for _, t := range d.Tags {
		if !tagName.MatchString(t) || len(t) > maxTag {
			return "Tag name is invalid"
		}
	}
	return ""
}

func (a *API) deleteDroplet(r *http.Request) answer {
	d, ok := a.asked(r)
	if !ok {
		return notFound
	}
	if d.dies.IsZero() {
		d.dies = time.Now().Add(a.cfg.Dying)
	}
	return answer{status: http.StatusNoContent}
}

// show describes a droplet; its tags are seen by those alone who may read tags.
func (a *API) show(d *Droplet) object {
	tags := []string{}
	if a.may("tag:read") {
		tags = append(tags, d.Tags...)
	}
	at, _ := findRegion(d.Region)
	of, _ := findSize(d.Size)
	from, _ := findImage(d.Image)
	v4, v6 := []object{}, []object{}
	if d.Status != "new" {
		v4 = append(v4,
			object{"type": "private", "ip_address": d.address(netip.MustParseAddr("10.110.0.0")), "netmask": "255.255.240.0", "gateway": "10.110.0.1"},
			object{"type": "public", "ip_address": d.address(netip.MustParseAddr("198.18.0.0")), "netmask": "255.255.240.0", "gateway": "198.18.0.1"})
		if d.IPv6 {
			v6 = append(v6, object{"type": "public", "ip_address": d.address(netip.MustParseAddr("2001:db8::")), "netmask": 64, "gateway": "2001:db8::1"})
		}
	}
	return object{
		"id": d.ID, "name": d.Name, "memory": of.memory, "vcpus": of.vcpus, "disk": of.disk, "locked": d.Status == "new",
		"status": d.Status, "created_at": stamp(d.Created), "features": []string{"ipv6"}, "backup_ids": []int{}, "snapshot_ids": []int{},
		"next_backup_window": nil, "image": from.show(), "volume_ids": []string{}, "size": of.show(), "size_slug": d.Size, "kernel": nil,
		"networks": object{"v4": v4, "v6": v6}, "region": at.show(), "tags": tags, "vpc_uuid": d.Network,
	}
}

// address is that of the droplet in a network.
func (d *Droplet) address(network netip.Addr) string {
	bytes := network.AsSlice()
	bytes[len(bytes)-1], bytes[len(bytes)-2] = byte(d.number), byte(d.number>>8)
	a, _ := netip.AddrFromSlice(bytes)
	return a.Next().String()
}

package hetzner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud/schema"
)

// Server is a machine of the project.
type Server struct {
	ID                 int64
	Name, Region, Size string
	Image              int64
	Status             string // what it is when nothing is under way
	Labels             map[string]string
	Keys               []string // public keys that root accepts
	UserData           string
	Backups            bool
	IPv4, IPv6         bool
	Networks           []int64
	Firewalls          []int64
	Created            time.Time

	number  int64     // of its addresses
	during  string    // the status until ready
	ready   time.Time // when what is under way is done
	shownAt time.Time // when it is found
	missing int       // how often it is not found by its id yet
	dies    time.Time // when it is gone, once it is deleted
}

// maxUserData is the vendor's limit.
const maxUserData = 32 << 10

var hostName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`)

// Servers returns the servers that exist, the oldest first.
func (a *API) Servers() []Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settle(time.Now())
	all := make([]Server, len(a.servers))
	for i, s := range a.servers {
		all[i] = *s
		all[i].Labels = maps.Clone(s.Labels)
	}
	return all
}

// Made returns how many servers were made by requests, also those that are gone.
func (a *API) Made() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.made
}

// AddServer makes a server as another user of the project would, and returns its id.
func (a *API) AddServer(name string, labels map[string]string) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &Server{Name: name, Region: "fsn1", Size: "cx23", Image: images[0].id, Status: "running", Labels: labels, IPv4: true, IPv6: true}
	a.add(s)
	return s.ID
}

// AddNetwork makes a private network, and returns its id.
func (a *API) AddNetwork() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.networks = append(a.networks, a.nextID())
	return a.lastID
}

// AddFirewall makes a firewall, and returns its id.
func (a *API) AddFirewall() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.firewalls = append(a.firewalls, a.nextID())
	return a.lastID
}

func (a *API) add(s *Server) {
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	s.ID, s.Created = a.nextID(), time.Now().UTC()
	s.number = s.ID - 4711000
	a.servers = append(a.servers, s)
}

// settle does what the time has brought.
func (a *API) settle(now time.Time) {
	a.servers = slices.DeleteFunc(a.servers, func(s *Server) bool { return !s.dies.IsZero() && !now.Before(s.dies) })
}

// status is what a server is at a time, and whether it is locked.
func (s *Server) status(now time.Time) (status string, locked bool) {
	switch {
	case !s.dies.IsZero():
		return "deleting", true
	case now.Before(s.ready):
		return s.during, true
	}
	return s.Status, false
}

// asked finds the server that a request is about.
func (a *API) asked(r *http.Request) (*Server, bool) {
	i := slices.IndexFunc(a.servers, func(s *Server) bool { return strconv.FormatInt(s.ID, 10) == r.PathValue("id") })
	if i < 0 || time.Now().Before(a.servers[i].shownAt) {
		return nil, false
	}
	return a.servers[i], true
}

func (a *API) listServers(r *http.Request) answer {
	query := r.URL.Query()
	shown := []object{}
	for _, s := range a.servers {
		if time.Now().Before(s.shownAt) || query.Has("name") && s.Name != query.Get("name") || !selects(query.Get("label_selector"), s.Labels) {
			continue
		}
		shown = append(shown, a.show(s))
	}
	return page(r, "servers", shown)
}

func (a *API) getServer(r *http.Request) answer {
	s, ok := a.asked(r)
	if ok && s.missing > 0 {
		s.missing--
		ok = false
	}
	if !ok {
		return notFound
	}
	return answer{http.StatusOK, object{"server": a.show(s)}}
}

func (a *API) createServer(r *http.Request) answer {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return problem(http.StatusBadRequest, "json_error", err.Error())
	}
	var asked schema.ServerCreateRequest
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields() // among them datacenter, which is gone
	if err := decoder.Decode(&asked); err != nil {
		return problem(http.StatusBadRequest, "json_error", err.Error())
	}
	s := &Server{
		Name: asked.Name, Region: asked.Location, Size: asked.ServerType.Name, Image: asked.Image.ID, Status: "running",
		UserData: asked.UserData, IPv4: true, IPv6: true, Networks: asked.Networks,
		during: "initializing", ready: time.Now().Add(a.cfg.Boot), shownAt: time.Now().Add(a.cfg.Hidden), missing: a.cfg.Missing,
	}
	if asked.Labels != nil {
		s.Labels = *asked.Labels
	}
	if asked.PublicNet != nil {
		s.IPv4, s.IPv6 = asked.PublicNet.EnableIPv4, asked.PublicNet.EnableIPv6
	}
	for _, f := range asked.Firewalls {
		s.Firewalls = append(s.Firewalls, f.Firewall)
	}
	for _, id := range asked.SSHKeys {
		i := slices.IndexFunc(a.keys, func(k *schema.SSHKey) bool { return k.ID == id })
		if i < 0 {
			return problem(http.StatusNotFound, "not_found", fmt.Sprintf("SSH key with ID '%d' not found", id))
		}
		s.Keys = append(s.Keys, a.keys[i].PublicKey)
	}
	if wrong := a.wrong(s); wrong.status != 0 {
		return wrong
	}
	a.add(s)
	a.made++
	var password any
	if len(s.Keys) == 0 {
		password = "secret"
	}
	return answer{http.StatusCreated, object{
		"server": a.show(s), "action": a.action("create_server", s), "next_actions": []object{a.action("start_server", s)}, "root_password": password,
	}}
}

// wrong is what the vendor has against a server.
func (a *API) wrong(s *Server) answer {
	of, size := findType(s.Size)
	from, found := findImage(s.Image)
	_, location := findLocation(s.Region)
	unknown := func(known []int64) func(int64) bool {
		return func(id int64) bool { return !slices.Contains(known, id) }
	}
	switch {
	case !hostName.MatchString(s.Name):
		return invalid("name", "must be a valid hostname")
	case !size:
		return invalid("server_type", "server type not found")
	case !found:
		return invalid("image", "image not found")
	case from.architecture != of.architecture:
		return invalid("image", "image and server type have different architectures")
	case !location || !slices.Contains(of.locations, s.Region):
		return invalid("location", "unsupported location for server type")
	case len(s.UserData) > maxUserData:
		return invalid("user_data", "is too long")
	case !validLabels(s.Labels):
		return invalid("labels", "are not valid")
	case slices.ContainsFunc(s.Networks, unknown(a.networks)):
		return problem(http.StatusNotFound, "not_found", "network not found")
	case slices.ContainsFunc(s.Firewalls, unknown(a.firewalls)):
		return problem(http.StatusNotFound, "not_found", "firewall not found")
	case slices.ContainsFunc(a.servers, func(other *Server) bool { return other.Name == s.Name }):
		return unique("server name is already used")
	case a.cfg.Servers > 0 && len(a.servers) >= a.cfg.Servers:
		return problem(http.StatusForbidden, "resource_limit_exceeded", "server limit exceeded")
	case !a.sells(of, s.Region):
		return problem(http.StatusPreconditionFailed, "resource_unavailable", "error during placement")
	}
	return answer{}
}

func (a *API) deleteServer(r *http.Request) answer {
	s, ok := a.asked(r)
	switch {
	case !ok:
		return notFound
	case s.dies.IsZero() && time.Now().Before(s.ready):
		return locked()
	case s.dies.IsZero():
		s.dies = time.Now().Add(a.cfg.Dying)
	}
	return answer{http.StatusOK, object{"action": a.action("delete_server", s)}}
}

func (a *API) show(s *Server) object {
	of, _ := findType(s.Size)
	from, _ := findImage(s.Image)
	location, _ := findLocation(s.Region)
	status, locked := s.status(time.Now())
	firewalls, private := []object{}, []object{}
	for _, id := range s.Firewalls {
		firewalls = append(firewalls, object{"id": id, "status": "applied"})
	}
	public := object{"ipv4": nil, "ipv6": nil, "floating_ips": []int64{}, "firewalls": firewalls}
	if s.IPv4 {
		public["ipv4"] = object{"id": 1000 + s.ID, "ip": fmt.Sprintf("198.18.%d.%d", s.number>>8&255, s.number&255), "blocked": false, "dns_ptr": ""}
	}
	if s.IPv6 {
		public["ipv6"] = object{"id": 2000 + s.ID, "ip": fmt.Sprintf("2001:db8:0:%x::/64", s.number), "blocked": false, "dns_ptr": []object{}}
	}
	if status != "initializing" { // it is attached a little later
		for _, id := range s.Networks {
			private = append(private, object{"network": id, "ip": fmt.Sprintf("10.0.%d.%d", s.number>>8&255, s.number&255), "alias_ips": []string{}, "mac_address": "86:00:00:2a:7d:e0"})
		}
	}
	var window any
	if s.Backups {
		window = "22-02"
	}
	return object{
		"id": s.ID, "name": s.Name, "status": status, "created": s.Created, "public_net": public, "private_net": private,
		"server_type": a.showType(of), "location": location, "image": from.show(), "iso": nil, "rescue_enabled": false, "locked": locked,
		"backup_window": window, "outgoing_traffic": nil, "ingoing_traffic": nil, "included_traffic": 20 << 40, "primary_disk_size": of.disk,
		"protection": object{"delete": false, "rebuild": false}, "labels": maps.Clone(s.Labels), "volumes": []int64{}, "load_balancers": []int64{},
		"placement_group": nil,
	}
}

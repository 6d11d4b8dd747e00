package hetzner

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
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

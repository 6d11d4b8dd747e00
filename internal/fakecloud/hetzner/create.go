package hetzner

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud/schema"
)

// maxUserData is the vendor's limit.
const maxUserData = 32 << 10

var hostName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*$`)

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

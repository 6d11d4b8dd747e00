package hetzner

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud/schema"
)

// action describes work on a server that takes its time.
func (a *API) action(command string, s *Server) object {
	return object{
		"id": a.nextID(), "command": command, "status": "running", "progress": 0, "started": time.Now().UTC(), "finished": nil, "error": nil,
		"resources": []object{{"id": s.ID, "type": "server"}},
	}
}

// act does something to a server that nothing else is done to.
func (a *API) act(r *http.Request) answer {
	s, ok := a.asked(r)
	if !ok {
		return notFound
	}
	if _, busy := s.status(time.Now()); busy {
		return locked()
	}
	body := object{}
	during := s.Status
	command := r.PathValue("action")
	switch command {
	case "poweron":
		command, s.Status = "start_server", "running"
	case "poweroff":
		command, s.Status = "stop_server", "off"
	case "reboot":
		if s.Status != "running" {
			return problem(http.StatusUnprocessableEntity, "service_error", "server is not running")
		}
		command = "reboot_server"
	case "enable_backup":
		s.Backups = true
	case "change_type":
		var asked schema.ServerActionChangeTypeRequest
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return problem(http.StatusBadRequest, "json_error", err.Error())
		}
		if wrong := s.resize(asked); wrong.status != 0 {
			return wrong
		}
		command, during = "change_server_type", "migrating"
	case "rebuild":
		var asked schema.ServerActionRebuildRequest
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			return problem(http.StatusBadRequest, "json_error", err.Error())
		}
		of, _ := findType(s.Size)
		from, found := findImage(asked.Image.ID)
		if !found || from.architecture != of.architecture {
			return invalid("image", "image not found, or of another architecture")
		}
		command, during = "rebuild_server", "rebuilding"
		s.Image, s.Status = from.id, "running"
		body["root_password"] = nil
	default:
		return notFound
	}
	s.during, s.ready = during, time.Now().Add(a.cfg.Work)
	body["action"] = a.action(command, s)
	return answer{http.StatusCreated, body}
}

// resize gives a server another type, after which it is started.
func (s *Server) resize(asked schema.ServerActionChangeTypeRequest) answer {
	before, _ := findType(s.Size)
	after, found := findType(asked.ServerType.Name)
	switch {
	case !found:
		return invalid("server_type", "server type not found")
	case s.Status != "off":
		return problem(http.StatusUnprocessableEntity, "server_not_stopped", "the server must be stopped")
	case before.architecture != after.architecture || after.disk < before.disk:
		return problem(http.StatusUnprocessableEntity, "invalid_server_type", "server type does not fit")
	}
	s.Size, s.Status = after.name, "running"
	return answer{}
}

package digitalocean

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// action is work on a droplet that takes its time.
type action struct {
	id, droplet  int
	kind, region string
	began, ends  time.Time
	done         bool
	apply        func(*Droplet)
}

func (a *API) begin(kind string, d *Droplet, takes time.Duration, apply func(*Droplet)) *action {
	now := time.Now()
	act := &action{id: a.nextID(), droplet: d.ID, kind: kind, region: d.Region, began: now, ends: now.Add(takes), apply: apply}
	a.actions = append(a.actions, act)
	return act
}

func (a *API) act(r *http.Request) answer {
	d, ok := a.asked(r)
	if !ok {
		return notFound
	}
	var asked struct {
		Type  string `json:"type"`
		Size  string `json:"size"`
		Image any    `json:"image"`
		Disk  bool   `json:"disk"`
	}
	if err := decode(r, &asked); err != nil {
		return unprocessable(err.Error())
	}
	if slices.ContainsFunc(a.actions, func(act *action) bool { return act.droplet == d.ID && !act.done }) {
		return unprocessable("Droplet already has a pending event.")
	}
	status := func(s string) func(*Droplet) { return func(d *Droplet) { d.Status = s } }
	var apply func(*Droplet)
	switch asked.Type {
	case "power_on":
		if d.Status == "active" {
			return unprocessable("Droplet is already powered on")
		}
		apply = status("active")
	case "power_off", "shutdown":
		if d.Status == "off" {
			return unprocessable("Droplet is already powered off")
		}
		apply = status("off")
	case "reboot", "power_cycle":
		if d.Status != "active" {
			return unprocessable("Droplet must be powered on")
		}
		apply = status("active")
	case "resize":
		of, ok := findSize(asked.Size)
		switch {
		case !ok:
			return unprocessable("You specified an invalid size.")
		case !of.available || !slices.Contains(of.regions, d.Region):
			return unprocessable("Size is not available in this region.")
		case d.Status != "off":
			return unprocessable("Droplet must be powered off to resize")
		}
		apply = func(d *Droplet) { d.Size = asked.Size }
	case "rebuild":
		name, ok := asked.Image.(string)
		if id, is := asked.Image.(float64); is {
			name, ok = strconv.Itoa(int(id)), true
		}
		if _, known := findImage(name); !ok || !known {
			return unprocessable("You specified an invalid image.")
		}
		apply = func(d *Droplet) { d.Image, d.Status = name, "active" }
	default:
		return unprocessable("This action is not supported")
	}
	act := a.begin(asked.Type, d, a.cfg.Work, apply)
	return answer{http.StatusCreated, object{"action": act.show()}}
}

func (act *action) show() object {
	at, _ := findRegion(act.region)
	o := object{
		"id": act.id, "type": act.kind, "status": "in-progress", "started_at": stamp(act.began), "completed_at": nil,
		"resource_id": act.droplet, "resource_type": "droplet", "region": at.show(), "region_slug": act.region,
	}
	if act.done {
		o["status"], o["completed_at"] = "completed", stamp(act.ends)
	}
	return o
}

package digitalocean

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

var tagName = regexp.MustCompile(`^[A-Za-z0-9:_-]{1,255}$`)

// Tags returns the tags of the account.
func (a *API) Tags() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.tags)
}

// findTag finds a tag, whose capitals are those that it was made with.
func (a *API) findTag(name string) (string, bool) {
	return find(a.tags, func(t string) bool { return strings.EqualFold(t, name) })
}

// tag returns the name of a tag, which is made when there is none.
func (a *API) tag(name string) string {
	if t, ok := a.findTag(name); ok {
		return t
	}
	a.tags = append(a.tags, name)
	return name
}

func (a *API) createTag(r *http.Request) answer {
	var asked struct {
		Name string `json:"name"`
	}
	if err := decode(r, &asked); err != nil {
		return unprocessable(err.Error())
	}
	if !tagName.MatchString(asked.Name) {
		return unprocessable("Tag name is invalid")
	}
	name := a.tag(asked.Name)
	return answer{http.StatusCreated, object{"tag": object{"name": name, "resources": object{"count": 0}}}}
}

func (a *API) getTag(r *http.Request) answer {
	name := r.PathValue("id")
	if !slices.Contains(a.tags, name) {
		return notFound
	}
	return answer{http.StatusOK, object{"tag": object{"name": name, "resources": object{"count": 0}}}}
}

func (a *API) deleteTag(r *http.Request) answer {
	name := r.PathValue("id")
	if !slices.Contains(a.tags, name) {
		return notFound
	}
	other := func(t string) bool { return t == name }
	a.tags = slices.DeleteFunc(a.tags, other)
	for _, d := range a.droplets {
		d.Tags = slices.DeleteFunc(d.Tags, other)
	}
	for _, f := range a.firewalls {
		f.tags = slices.DeleteFunc(f.tags, other)
	}
	return answer{status: http.StatusNoContent}
}

type firewall struct {
	id   string
	name string
	tags []string
}

// AddFirewall makes a firewall and returns its id.
func (a *API) AddFirewall(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := &firewall{id: uuid.NewString(), name: name}
	a.firewalls = append(a.firewalls, f)
	return f.id
}

// Guards reports whether a firewall applies to a droplet, as both bear one tag.
func (a *API) Guards(firewallID string, d Droplet) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, ok := find(a.firewalls, func(f *firewall) bool { return f.id == firewallID })
	return ok && slices.ContainsFunc(f.tags, func(t string) bool { return slices.Contains(d.Tags, t) })
}

// AddNetwork makes a VPC and returns its id.
func (a *API) AddNetwork() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := uuid.NewString()
	a.networks = append(a.networks, id)
	return id
}

func (a *API) getFirewall(r *http.Request) answer {
	f, ok := find(a.firewalls, func(f *firewall) bool { return f.id == r.PathValue("id") })
	if !ok {
		return notFound
	}
	return answer{http.StatusOK, object{"firewall": object{
		"id": f.id, "name": f.name, "status": "succeeded", "droplet_ids": []int{}, "tags": slices.Clone(f.tags),
		"inbound_rules": []object{}, "outbound_rules": []object{}, "pending_changes": []object{},
	}}}
}

// tagFirewall takes tags that exist already, as the vendor does.
func (a *API) tagFirewall(r *http.Request) answer {
	f, ok := find(a.firewalls, func(f *firewall) bool { return f.id == r.PathValue("id") })
	if !ok {
		return notFound
	}
	var asked struct {
		Tags []string `json:"tags"`
	}
	if err := decode(r, &asked); err != nil {
		return unprocessable(err.Error())
	}
	for _, t := range asked.Tags {
		if !slices.Contains(a.tags, t) {
			return unprocessable("tag " + t + " does not exist")
		}
		if !slices.Contains(f.tags, t) {
			f.tags = append(f.tags, t)
		}
	}
	const most = 5
	if len(f.tags) > most {
		f.tags = f.tags[:most]
		return unprocessable("a firewall may have at most 5 tags")
	}
	return answer{status: http.StatusNoContent}
}

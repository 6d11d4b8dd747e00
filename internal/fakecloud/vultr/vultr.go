// Package vultr is a fake of the few paths of Vultr's API v2 that the adapter uses, in
// memory. It is as the vendor's documentation and what others met say that Vultr is.
package vultr

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Key is the API key that is accepted.
const Key = "secret"

const perSecond = 30 // requests

// Thing is an instance or a key, by the names of the API's fields.
type Thing map[string]any

// Cloud is an account at Vultr. Its fields are set before it is used, or read after.
type Cloud struct {
	Instances, Keys []Thing
	Made            int      // instances
	Orders          []string // that switched one, as "start"
	// Lag is for how long a list does not have what was made.
	Lag time.Duration
	// Install is how long an instance is pending and locked.
	Install time.Duration
	// Most is how many instances the account may have. Defaults to any number.
	Most int
	// Unique refuses a key that the account has already.
	Unique  bool
	Refused int // requests beyond the rate limit

	mu     sync.Mutex
	last   int
	taken  []time.Time
	routes *http.ServeMux
	once   sync.Once
}

// ServeHTTP implements http.Handler.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.once.Do(c.route)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.taken = slices.DeleteFunc(c.taken, func(at time.Time) bool { return now.Sub(at) >= time.Second })
	c.taken = append(c.taken, now)
	switch {
	case len(c.taken) > perSecond:
		c.Refused++
		refuse(w, http.StatusTooManyRequests, "Rate limit exceeded.")
	case r.Header.Get("Authorization") != "Bearer "+Key:
		refuse(w, http.StatusUnauthorized, "Invalid API token.")
	default:
		c.routes.ServeHTTP(w, r)
	}
}

func (c *Cloud) route() {
	c.routes = http.NewServeMux()
	c.routes.HandleFunc("GET /v2/instances", func(w http.ResponseWriter, r *http.Request) {
		c.page(w, r, "instances", slices.DeleteFunc(slices.Clone(c.Instances), func(i Thing) bool {
			return c.young(i, c.Lag) || !tagged(i, r.URL.Query().Get("tag"))
		}))
	})
	c.routes.HandleFunc("POST /v2/instances", c.create)
	c.routes.HandleFunc("/v2/instances/{id}", c.one)
	c.routes.HandleFunc("POST /v2/instances/{id}/{order}", c.order)
	c.routes.HandleFunc("GET /v2/ssh-keys", func(w http.ResponseWriter, r *http.Request) { c.page(w, r, "ssh_keys", c.Keys) })
	c.routes.HandleFunc("POST /v2/ssh-keys", c.addKey)
	c.routes.HandleFunc("DELETE /v2/ssh-keys/{id}", func(w http.ResponseWriter, r *http.Request) {
		n := index(c.Keys, r.PathValue("id"))
		if n < 0 {
			refuse(w, http.StatusNotFound, "Invalid ssh-key.")
			return
		}
		c.Keys = slices.Delete(c.Keys, n, n+1)
		w.WriteHeader(http.StatusNoContent)
	})
	c.offer()
}

// young reports whether a thing was made less than d ago.
func (c *Cloud) young(t Thing, d time.Duration) bool {
	made, ok := t["made"].(time.Time)
	return ok && time.Since(made) < d
}

// tagged is as loose as a filter may be.
func tagged(i Thing, tag string) bool {
	tags, _ := i["tags"].([]any)
	return tag == "" || slices.ContainsFunc(tags, func(t any) bool {
		return strings.Contains(strings.ToLower(fmt.Sprint(t)), strings.ToLower(tag))
	})
}

func (c *Cloud) addKey(w http.ResponseWriter, r *http.Request) {
	k := make(Thing)
	_ = json.NewDecoder(r.Body).Decode(&k)
	_, _, _, _, err := ssh.ParseAuthorizedKey([]byte(fmt.Sprint(k["ssh_key"])))
	if err != nil || c.Unique && slices.ContainsFunc(c.Keys, func(o Thing) bool { return o["ssh_key"] == k["ssh_key"] }) {
		refuse(w, http.StatusBadRequest, "Invalid ssh_key.")
		return
	}
	k["id"] = c.id()
	c.Keys = append(c.Keys, k)
	answer(w, http.StatusCreated, Thing{"ssh_key": k})
}

func (c *Cloud) id() string {
	c.last++
	return fmt.Sprintf("%08x-0000-4000-8000-000000000000", c.last)
}

func index(all []Thing, id string) int {
	return slices.IndexFunc(all, func(t Thing) bool { return t["id"] == id })
}

// page is one page of a list, of two things at most whatever is asked for.
func (c *Cloud) page(w http.ResponseWriter, r *http.Request, name string, all []Thing) {
	const most = 2
	first, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Query().Get("cursor"), "at-"))
	first = min(first, len(all))
	last, next := min(first+most, len(all)), ""
	if last < len(all) {
		next = fmt.Sprint("at-", last)
	}
	shown := []Thing{}
	for _, t := range all[first:last] {
		if name == "instances" {
			t = c.seen(t)
		}
		shown = append(shown, t)
	}
	answer(w, http.StatusOK, Thing{name: shown, "meta": Thing{"total": len(all), "links": Thing{"next": next, "prev": ""}}})
}

func refuse(w http.ResponseWriter, status int, message string) {
	answer(w, status, Thing{"error": message, "status": status})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8") // as something on the way may write it
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

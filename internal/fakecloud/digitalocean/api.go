package digitalocean

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
)

// Config says how the fake behaves. The zero value is an account without limits,
// where all goes well and at once.
type Config struct {
	// Token is the one that is accepted. Defaults to "token".
	Token string
	// Scopes are those of the token, such as "droplet:read". Defaults to all.
	Scopes []string
	// PerHour and PerMinute are the rate limits. Defaults to none.
	PerHour, PerMinute int
	// Droplets is how many droplets the account may have. Defaults to any number.
	Droplets int
	// Missing is how often a new droplet is not found by its id.
	Missing int
	// Boot is the time from new to active, Work that of an action, and Dying
	// that from the order to delete a droplet until it is gone.
	Boot, Work, Dying time.Duration
}

// API is the API of one account. It is an http.Handler, safe for concurrent use.
type API struct {
	fakecloud.Requests[answer]

	cfg Config
	mux *http.ServeMux

	mu        sync.Mutex
	lastID    int
	made      int
	droplets  []*Droplet // the newest first
	keys      []*Key
	tags      []string
	firewalls []*firewall
	networks  []string
	actions   []*action
	hour      window
	minute    window
	keyLists  window
}

// New makes an account that has nothing.
func New(cfg Config) *API {
	if cfg.Token == "" {
		cfg.Token = "token"
	}
	a := &API{cfg: cfg, mux: http.NewServeMux(), lastID: 3164000}
	a.hour, a.minute = window{n: cfg.PerHour, per: time.Hour}, window{n: cfg.PerMinute, per: time.Minute}
	a.keyLists = window{n: 10, per: time.Minute}
	for operation, scoped := range map[string]struct {
		scope  string
		handle func(*http.Request) answer
	}{
		"GET /v2/regions":                {"regions:read", a.listRegions},
		"GET /v2/sizes":                  {"sizes:read", a.listSizes},
		"GET /v2/images":                 {"image:read", a.listImages},
		"GET /v2/images/{id}":            {"image:read", a.getImage},
		"GET /v2/droplets":               {"droplet:read", a.listDroplets},
		"POST /v2/droplets":              {"droplet:create", a.createDroplet},
		"GET /v2/droplets/{id}":          {"droplet:read", a.getDroplet},
		"DELETE /v2/droplets/{id}":       {"droplet:delete", a.deleteDroplet},
		"POST /v2/droplets/{id}/actions": {"droplet:update", a.act},
		"GET /v2/account/keys":           {"ssh_key:read", a.listKeys},
		"POST /v2/account/keys":          {"ssh_key:create", a.createKey},
		"GET /v2/account/keys/{id}":      {"ssh_key:read", a.getKey},
		"DELETE /v2/account/keys/{id}":   {"ssh_key:delete", a.deleteKey},
		"POST /v2/tags":                  {"tag:create", a.createTag},
		"GET /v2/tags/{id}":              {"tag:read", a.getTag},
		"DELETE /v2/tags/{id}":           {"tag:delete", a.deleteTag},
		"GET /v2/firewalls/{id}":         {"firewall:read", a.getFirewall},
		"POST /v2/firewalls/{id}/tags":   {"firewall:update", a.tagFirewall},
	} {
		a.mux.HandleFunc(operation, func(w http.ResponseWriter, r *http.Request) {
			a.serve(w, r, operation, scoped.scope, scoped.handle)
		})
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r, "/", "", func(*http.Request) answer { return notFound })
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// may reports whether the token has a scope.
func (a *API) may(scope string) bool {
	return a.cfg.Scopes == nil || slices.Contains(a.cfg.Scopes, scope)
}

// answer is a status and what is written as JSON, or nothing.
type answer struct {
	status int
	body   any
}

type object = map[string]any

func (a *API) serve(w http.ResponseWriter, r *http.Request, operation, scope string, handle func(*http.Request) answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Take(operation)
	now := time.Now()
	a.settle(now)
	got := a.limit(w.Header(), now, operation)
	switch {
	case got.status != 0:
	case r.Header.Get("Authorization") != "Bearer "+a.cfg.Token:
		got = problem(http.StatusUnauthorized, "Unauthorized", "Unable to authenticate you")
	case scope != "" && !a.may(scope):
		got = problem(http.StatusForbidden, "Forbidden", "You are not authorized to perform this operation")
	default:
		refusal, refused := a.Refusal(operation)
		if got = refusal; !refused {
			got = handle(r)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(got.status)
	if got.body != nil {
		_ = json.NewEncoder(w).Encode(got.body)
	}
}

// problem is an answer with the vendor's form of an error.
func problem(status int, id, message string) answer {
	return answer{status, object{"id": strings.ToLower(id), "message": message, "request_id": uuid.NewString()}}
}

func unprocessable(message string) answer {
	return problem(http.StatusUnprocessableEntity, "unprocessable_entity", message)
}

var notFound = problem(http.StatusNotFound, "not_found", "The resource you were accessing could not be found.")

// Refuse has the next request of an operation, such as "POST /v2/droplets", fail
// without an effect.
func (a *API) Refuse(operation string, status int, id, message string) {
	a.RefuseWith(operation, problem(status, id, message))
}

// page is one page of a list, as the query of a request asks for it.
func page[T any](r *http.Request, name string, all []T, show func(T) object) answer {
	number, size := count(r, "page", 1), min(count(r, "per_page", 20), 200)
	last := max(1, (len(all)+size-1)/size)
	shown := []object{}
	for i := (number - 1) * size; i < min(number*size, len(all)); i++ {
		shown = append(shown, show(all[i]))
	}
	link := func(n int) string {
		u := *r.URL
		query := u.Query()
		query.Set("page", strconv.Itoa(n))
		u.RawQuery = query.Encode()
		return u.String()
	}
	pages := object{}
	if number > 1 {
		pages["first"], pages["prev"] = link(1), link(number-1)
	}
	if number < last {
		pages["next"], pages["last"] = link(number+1), link(last)
	}
	links := object{}
	if len(pages) > 0 {
		links["pages"] = pages
	}
	return answer{http.StatusOK, object{name: shown, "links": links, "meta": object{"total": len(all)}}}
}

func count(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}

func decode(r *http.Request, v any) error {
	if err := json.NewDecoder(r.Body).Decode(v); err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

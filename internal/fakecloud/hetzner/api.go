package hetzner

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud/schema"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
)

// Config says how the fake behaves. The zero value is a project without limits,
// where all goes well and at once.
type Config struct {
	// Token is the one that is accepted. Defaults to "token".
	Token string
	// ReadOnly is set when the token may only read.
	ReadOnly bool
	// PerHour is the rate limit. Defaults to none.
	PerHour int
	// Servers is how many servers the project may have. Defaults to any number.
	Servers int
	// Missing is how often a new server is not found by its id, and Hidden how long
	// it is neither listed nor found.
	Missing int
	Hidden  time.Duration
	// Boot is the time from a server's creation until it runs, Work that of
	// another action, and Dying that from the order to delete a server until it
	// is gone. The server is locked for Boot and Work.
	Boot, Work, Dying time.Duration
}

// API is the API of one project. It is an http.Handler, safe for concurrent use.
type API struct {
	fakecloud.Requests[answer]

	cfg Config
	mux *http.ServeMux

	mu        sync.Mutex
	lastID    int64
	made      int
	soldOut   map[offer]bool
	servers   []*Server // the oldest first
	keys      []*schema.SSHKey
	networks  []int64
	firewalls []int64
	bucket    bucket
}

// New makes a project that has nothing.
func New(cfg Config) *API {
	if cfg.Token == "" {
		cfg.Token = "token"
	}
	a := &API{cfg: cfg, mux: http.NewServeMux(), soldOut: make(map[offer]bool), lastID: 4711000}
	a.bucket = bucket{size: cfg.PerHour, left: float64(cfg.PerHour), at: time.Now()}
	for operation, handle := range map[string]func(*http.Request) answer{
		"GET /locations":                      a.listLocations,
		"GET /server_types":                   a.listTypes,
		"GET /images":                         a.listImages,
		"GET /pricing":                        a.pricing,
		"GET /ssh_keys":                       a.listKeys,
		"POST /ssh_keys":                      a.createKey,
		"DELETE /ssh_keys/{id}":               a.deleteKey,
		"GET /servers":                        a.listServers,
		"POST /servers":                       a.createServer,
		"GET /servers/{id}":                   a.getServer,
		"DELETE /servers/{id}":                a.deleteServer,
		"POST /servers/{id}/actions/{action}": a.act,
	} {
		method, path, _ := strings.Cut(operation, " ")
		a.mux.HandleFunc(method+" /v1"+path, func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, operation, handle) })
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		a.serve(w, r, "/", func(*http.Request) answer { return notFound })
	})
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// answer is a status and what is written as JSON, or nothing.
type answer struct {
	status int
	body   any
}

type object = map[string]any

func (a *API) serve(w http.ResponseWriter, r *http.Request, operation string, handle func(*http.Request) answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Take(operation)
	now := time.Now()
	a.settle(now)
	var got answer
	switch {
	case !a.bucket.take(w.Header(), now):
		got = problem(http.StatusTooManyRequests, "rate_limit_exceeded", "limit of requests per hour reached")
	case r.Header.Get("Authorization") != "Bearer "+a.cfg.Token:
		got = problem(http.StatusUnauthorized, "unauthorized", "the token you provided is invalid")
	case a.cfg.ReadOnly && r.Method != http.MethodGet:
		got = problem(http.StatusForbidden, "forbidden", "insufficient permissions for this request")
	default:
		refusal, refused := a.Refusal(operation)
		if got = refusal; !refused {
			got = handle(r)
		}
	}
	if got.body != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(got.status)
	if got.body != nil {
		_ = json.NewEncoder(w).Encode(got.body)
	}
}

// problem is an answer with the vendor's form of an error.
func problem(status int, code, message string) answer {
	return answer{status, object{"error": object{"code": code, "message": message, "details": nil}}}
}

// invalid is the answer to a request with a field that is not valid.
func invalid(field, message string) answer {
	return answer{http.StatusUnprocessableEntity, object{"error": object{
		"code":    "invalid_input",
		"message": fmt.Sprintf("invalid input in field '%s'", field),
		"details": object{"fields": []object{{"name": field, "messages": []string{message}}}},
	}}}
}

func unique(message string) answer {
	return problem(http.StatusConflict, "uniqueness_error", message)
}

func locked() answer {
	return problem(http.StatusLocked, "locked", "cannot perform operation because server is locked")
}

var notFound = problem(http.StatusNotFound, "not_found", "resource not found")

// Refuse has the next request of an operation, such as "POST /servers", fail
// without an effect.
func (a *API) Refuse(operation string, status int, code, message string) {
	a.RefuseWith(operation, problem(status, code, message))
}

func (a *API) nextID() int64 {
	a.lastID++
	return a.lastID
}

// page is one page of a list, as the query of a request asks for it.
func page[T any](r *http.Request, name string, all []T) answer {
	number, size := count(r, "page", 1), min(count(r, "per_page", 25), 50)
	last := max(1, (len(all)+size-1)/size)
	shown := []T{} // never null
	if from := (number - 1) * size; from < len(all) {
		shown = all[from:min(from+size, len(all))]
	}
	pagination := object{
		"page": number, "per_page": size, "last_page": last, "total_entries": len(all),
		"previous_page": nil, "next_page": nil,
	}
	if number > 1 {
		pagination["previous_page"] = number - 1
	}
	if number < last {
		pagination["next_page"] = number + 1
	}
	return answer{http.StatusOK, object{name: shown, "meta": object{"pagination": pagination}}}
}

func count(r *http.Request, name string, otherwise int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}

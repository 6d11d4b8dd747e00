package acme_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// api stands for the vendor's API, in memory. Yours should know every rule of the
// vendor's that your adapter lives by, and where there is a description of the API,
// every request and every answer should be checked against that.
type api struct {
	mu      sync.Mutex
	last    int
	servers []map[string]any
	keys    []map[string]any
	made    int
	behind  int // lists of servers that do not have the last one yet
}

func (a *api) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/catalog", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"regions": ["fra1", "ams2"], "images": ["debian-12"], "sizes": [
			{"name": "small", "cores": 1, "memory": 1024, "disk": 25, "monthly": "4.00", "hourly": "0.006", "available_in": ["fra1"]},
			{"name": "arm", "cores": 2, "memory": 4096, "disk": 40, "monthly": "3.50", "hourly": "0.005", "arm": true, "available_in": ["fra1", "ams2"]}]}`)
	})
	mux.HandleFunc("GET /v1/servers", a.locked(func(w http.ResponseWriter, r *http.Request) {
		shown := a.servers
		if a.behind > 0 && len(shown) > 0 {
			a.behind--
			shown = shown[:len(shown)-1]
		}
		answer(w, http.StatusOK, page(r, "servers", shown))
	}))
	mux.HandleFunc("POST /v1/servers", a.locked(func(w http.ResponseWriter, r *http.Request) {
		s := a.add(r)
		s["status"], s["ipv4"], s["created"] = "running", fmt.Sprintf("198.18.0.%d", a.last), "2026-01-02T03:04:05Z"
		a.servers = append(a.servers, s)
		a.made++
		answer(w, http.StatusCreated, s)
	}))
	mux.HandleFunc("/v1/servers/{id}", a.locked(func(w http.ResponseWriter, r *http.Request) { one(w, r, &a.servers) }))
	mux.HandleFunc("POST /v1/servers/{id}/power", a.locked(func(w http.ResponseWriter, r *http.Request) {
		var order struct{ Order string }
		_ = json.NewDecoder(r.Body).Decode(&order)
		for _, s := range a.servers {
			if s["id"] == r.PathValue("id") {
				s["status"] = map[string]string{"on": "running", "off": "off", "reboot": "running"}[order.Order]
			}
		}
		answer(w, http.StatusOK, nil)
	}))
	mux.HandleFunc("GET /v1/keys", a.locked(func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, page(r, "keys", a.keys))
	}))
	mux.HandleFunc("POST /v1/keys", a.locked(func(w http.ResponseWriter, r *http.Request) {
		k := a.add(r)
		public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(k["public_key"].(string)))
		if err != nil {
			answer(w, http.StatusUnprocessableEntity, map[string]string{"code": "invalid", "message": "no key"})
			return
		}
		k["fingerprint"] = ssh.FingerprintSHA256(public)
		if slices.ContainsFunc(a.keys, func(o map[string]any) bool { return o["fingerprint"] == k["fingerprint"] || o["name"] == k["name"] }) {
			answer(w, http.StatusConflict, map[string]string{"code": "exists", "message": "there is such a key"})
			return
		}
		a.keys = append(a.keys, k)
		answer(w, http.StatusCreated, k)
	}))
	mux.HandleFunc("/v1/keys/{id}", a.locked(func(w http.ResponseWriter, r *http.Request) { one(w, r, &a.keys) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			answer(w, http.StatusUnauthorized, map[string]string{"code": "unauthorized", "message": "unknown token"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *api) locked(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		h(w, r)
	}
}

func (a *api) add(r *http.Request) map[string]any {
	thing := make(map[string]any)
	_ = json.NewDecoder(r.Body).Decode(&thing)
	a.last++
	thing["id"] = strconv.Itoa(a.last)
	return thing
}

// page is one page of two things of a list, by label and fingerprint.
func page(r *http.Request, name string, list []map[string]any) map[string]any {
	matching := slices.DeleteFunc(slices.Clone(list), func(thing map[string]any) bool {
		labels, _ := thing["labels"].(map[string]any)
		for _, want := range r.URL.Query()["label"] {
			if k, v, _ := strings.Cut(want, "="); labels[k] != v {
				return true
			}
		}
		fingerprint := r.URL.Query().Get("fingerprint")
		return fingerprint != "" && thing["fingerprint"] != fingerprint
	})
	const size = 2
	number, _ := strconv.Atoi(r.URL.Query().Get("page"))
	first := min(max(0, number-1)*size, len(matching))
	last := min(first+size, len(matching))
	some := map[string]any{name: matching[first:last]}
	if last < len(matching) {
		some["next_page"] = max(number, 1) + 1
	}
	return some
}

// one answers for one thing of a list, or deletes it.
func one(w http.ResponseWriter, r *http.Request, list *[]map[string]any) {
	i := slices.IndexFunc(*list, func(thing map[string]any) bool { return thing["id"] == r.PathValue("id") })
	switch {
	case i < 0:
		answer(w, http.StatusNotFound, map[string]string{"code": "not_found", "message": "there is none"})
	case r.Method == http.MethodDelete:
		*list = slices.Delete(*list, i, i+1)
		answer(w, http.StatusOK, nil)
	default:
		answer(w, http.StatusOK, (*list)[i])
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// wire is the way to the API, on which requests and answers can be lost.
type wire struct {
	http.Handler
	lose func() (request, answer bool)
}

var errLost = errors.New("connection reset")

func (wi *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }()
	}
	request, answer := false, false
	if wi.lose != nil {
		request, answer = wi.lose()
	}
	if request {
		return nil, errLost
	}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	wi.ServeHTTP(rec, in)
	if answer {
		return nil, errLost
	}
	return rec.Result(), nil
}

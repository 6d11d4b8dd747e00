package forge

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/seed-797f2c2c/forge/internal/webhook"
	"github.com/seed-797f2c2c/forge/secret"
)

const (
	maxHookBody = 25 << 20 // what GitHub sends at most
	hookTime    = 30 * time.Second
	hookStart   = 10 * time.Second // until a body must have hookRate, within hookTime
	hookRate    = 64 << 10         // bytes a second
	maxOpen     = 32               // requests of one site at a time
)

// Handler answers webhooks of GitHub, GitLab, Gitea, Forgejo and Bitbucket at
// /SITE, and the deploy URL at /SITE/TOKEN, where SITE is the id of a site that
// the Forge sees. It is mounted under any prefix, and served over TLS:
//
//	mux.Handle("/hooks/", http.StripPrefix("/hooks", f.Hooks.Handler()))
//
// The answer is a JSON object with a result, a reason and the id of a
// deployment. A push to the site's branch triggers a deployment of that branch's
// newest commit, or is covered by a pending one. What was received before, also
// under another id, triggers nothing. Nothing is done before the whole body,
// of at most 25 MiB, is known to be authentic.
//
// Each handler counts for itself what it lets in at once: call it once.
func (s *Hooks) Handler() http.Handler { return &hookHandler{hooks: s, open: map[string]int{}} }

type hookHandler struct {
	hooks *Hooks

	mu   sync.Mutex
	open map[string]int // requests by site
}

// hookAnswer is the body of an answer.
type hookAnswer struct {
	Status     int    `json:"-"`
	Result     string `json:"result"`
	Reason     string `json:"reason,omitempty"`
	Deployment string `json:"deployment,omitempty"`
}

func refuse(status int, reason string) hookAnswer {
	return hookAnswer{Status: status, Result: "error", Reason: reason}
}

func (h *hookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A request that trickles in is cut off. A server that cannot do that has
	// deadlines of its own.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hookStart))
	answer := h.answer(w, r)
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	switch answer.Status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", "30")
	}
	w.WriteHeader(answer.Status)
	_ = json.NewEncoder(w).Encode(answer) // who asked may be gone
}

func (h *hookHandler) answer(w http.ResponseWriter, r *http.Request) hookAnswer {
	id, token, isURL := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if id == "" || isURL && (token == "" || strings.Contains(token, "/")) {
		return refuse(http.StatusNotFound, "the address ends with the id of a site, or that and a token")
	}
	if r.Method != http.MethodPost {
		return refuse(http.StatusMethodNotAllowed, "only POST is answered")
	}
	if uuid.Validate(id) != nil { // nothing else reaches the store
		return refuse(http.StatusNotFound, "there is no such site")
	}
	if isURL {
		return h.enter(id, func() hookAnswer { return h.deployURL(r, id, token) })
	}
	return h.webhook(w, r, id)
}

// deployURL answers a call of the deploy URL. A token that is wrong and a site
// that is not there are answered alike.
func (h *hookHandler) deployURL(r *http.Request, id, token string) hookAnswer {
	_, good, err := h.site(r.Context(), id, DeployURL)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return h.failed(r.Context(), id, err)
	}
	found := 0
	for _, s := range good {
		found |= subtle.ConstantTimeCompare([]byte(token), []byte(s.Reveal()))
	}
	if found == 0 {
		return refuse(http.StatusNotFound, "there is no such deploy URL")
	}
	ctx, cancel := finishing(r.Context())
	defer cancel()
	d, err := h.hooks.f.As("deploy url").unasked().Deployments.Trigger(ctx, id, nil)
	if err != nil {
		return h.failed(ctx, id, err)
	}
	return hookAnswer{Status: http.StatusAccepted, Result: string(DeliveryDeployed), Deployment: d.ID}
}

// webhook answers a webhook. What can be refused without the body is.
func (h *hookHandler) webhook(w http.ResponseWriter, r *http.Request, id string) hookAnswer {
	if answer, bad := checkBody(r); bad {
		return answer
	}
	req, err := webhook.Identify(r.Header)
	if err != nil {
		return unreadable(err)
	}
	return h.enter(id, func() hookAnswer { return h.authentic(w, r, id, req) })
}

// authentic answers a webhook whose body is authentic. A secret that is wrong and
// a site that is not there are answered alike.
func (h *hookHandler) authentic(w http.ResponseWriter, r *http.Request, id string, req *webhook.Request) hookAnswer {
	site, good, err := h.site(r.Context(), id, Webhook)
	switch {
	case errors.Is(err, ErrNotFound):
		return unreadable(webhook.ErrForged)
	case err != nil:
		return h.failed(r.Context(), id, err)
	}
	paced := &pacedBody{ReadCloser: r.Body, conn: http.NewResponseController(w), began: time.Now()}
	body, err := req.Read(http.MaxBytesReader(w, paced, maxHookBody), site.ref(), good)
	if err != nil {
		return unreadable(err)
	}
	// The deadline was for the body; passing it now would cut the request off.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	switch req.Event {
	case webhook.Ping:
		return hookAnswer{Status: http.StatusOK, Result: "ping", Reason: "the secret is right"}
	case webhook.Other:
		return hookAnswer{Status: http.StatusOK, Result: string(DeliveryIgnored), Reason: "the event is not a push"}
	}
	ctx, cancel := finishing(r.Context())
	defer cancel()
	d, seen, err := h.hooks.receive(ctx, id, site.ref(), req, body)
	if err != nil {
		return h.failed(ctx, id, err)
	}
	answer := hookAnswer{Status: http.StatusOK, Result: string(d.Result), Reason: d.Reason, Deployment: d.Deployment}
	switch {
	case seen:
		answer.Result, answer.Reason = "duplicate", "it was received before"
	case d.Result == DeliveryDeployed:
		answer.Status = http.StatusAccepted
	case d.Result == DeliveryRefused:
		answer.Status = http.StatusConflict
	}
	return answer
}

// site is a site with the secrets of one of its hooks that are good now.
func (h *hookHandler) site(ctx context.Context, id string, hook Hook) (site *Site, good []secret.Secret, err error) {
	f := h.hooks.f
	var now time.Time
	err = f.core.Store.View(ctx, func(tx Tx) error {
		now = tx.Now()
		site, err = f.site(tx, id)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	good, err = f.core.hookSecrets(ctx, site, hook, now)
	return site, good, err
}

// finishing is a context for what is done even when who asked has gone.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), hookTime)
}

// enter answers a request, unless as many of the site as may be are answered
// now. Nothing is asked of the store or the sealer before.
func (h *hookHandler) enter(site string, answer func() hookAnswer) hookAnswer {
	if !h.count(site) {
		return refuse(http.StatusServiceUnavailable, "too many requests for this site at once")
	}
	defer h.leave(site)
	return answer()
}

func (h *hookHandler) count(site string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[site] >= maxOpen {
		return false
	}
	h.open[site]++
	return true
}

func (h *hookHandler) leave(site string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[site]--; h.open[site] == 0 {
		delete(h.open, site)
	}
}

// pacedBody is a body that is cut off where it comes too slowly.
type pacedBody struct {
	io.ReadCloser
	conn  *http.ResponseController
	began time.Time
	read  int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	due := min(hookStart+time.Duration(b.read)*time.Second/hookRate, hookTime)
	_ = b.conn.SetReadDeadline(b.began.Add(due)) // as in ServeHTTP
	return n, err
}

// checkBody refuses a body that is not JSON, or too large, by its headers.
func checkBody(r *http.Request) (answer hookAnswer, bad bool) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil || kind != "application/json":
		return refuse(http.StatusUnsupportedMediaType, "the body must be application/json: choose that as the webhook's content type"), true
	case r.Header.Get("Content-Encoding") != "":
		return refuse(http.StatusUnsupportedMediaType, "the body must not be encoded"), true
	case r.ContentLength > maxHookBody:
		return refuse(http.StatusRequestEntityTooLarge, "the body must have at most 25 MiB"), true
	}
	return hookAnswer{}, false
}

// unreadable is the answer to a request that is not an authentic, whole push.
func unreadable(err error) hookAnswer {
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, webhook.ErrUnsigned), errors.Is(err, webhook.ErrForged):
		return refuse(http.StatusUnauthorized, err.Error())
	case errors.Is(err, webhook.ErrSender), errors.Is(err, webhook.ErrID), errors.Is(err, webhook.ErrMalformed):
		return refuse(http.StatusBadRequest, err.Error())
	case errors.As(err, &large):
		return refuse(http.StatusRequestEntityTooLarge, "the body must have at most 25 MiB")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(http.StatusRequestTimeout, "the body came too slowly")
	}
	return refuse(http.StatusBadRequest, "the body could not be read to its end")
}

// failed is the answer where forge itself cannot do it.
func (h *hookHandler) failed(ctx context.Context, site string, err error) hookAnswer {
	var known *Error
	switch {
	case errors.Is(err, ErrNotFound):
		return refuse(http.StatusNotFound, "there is no such site")
	case errors.Is(err, ErrState) && errors.As(err, &known):
		return hookAnswer{Status: http.StatusConflict, Result: string(DeliveryRefused), Reason: known.Rule}
	}
	h.hooks.f.core.Logger.WarnContext(ctx, "a webhook could not be answered", "site", site, "error", err)
	return refuse(http.StatusServiceUnavailable, "it cannot be done now; try again")
}

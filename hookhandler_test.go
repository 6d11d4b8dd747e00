package forge_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

const (
	headOf   = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5"
	hookHead = `{"ref":"refs/heads/main","after":"` + headOf + `","n":`
)

// hooked is a world with a site whose hooks have secrets.
type hooked struct {
	*world
	site           *forge.Site
	webhook, token string
	handler        http.Handler
}

func newHooked(t *testing.T, w *world) *hooked {
	h := &hooked{world: w, handler: w.Hooks.Handler()}
	h.site = w.addSite(w.addServer("acme"), "example.com")
	h.webhook, h.token = h.rotate(forge.Webhook, 0), h.rotate(forge.DeployURL, 0)
	require.NotEqual(t, h.webhook, h.token)
	return h
}

func (h *hooked) rotate(hook forge.Hook, keep time.Duration) string {
	h.t.Helper()
	s, err := h.Hooks.Rotate(h.t.Context(), h.site.ID, hook, keep)
	require.NoError(h.t, err)
	require.GreaterOrEqual(h.t, len(s.Reveal()), 40)
	return s.Reveal()
}

// delivery is a request that GitHub would send; edit what is needed.
type delivery struct {
	method, path, secret, id, body string
	header                         http.Header
}

// push is the n-th push to main.
func (h *hooked) push(n int) delivery {
	return delivery{http.MethodPost, "/" + h.site.ID, h.webhook, fmt.Sprint("id-", n), hookHead + fmt.Sprint(n) + "}", http.Header{}}
}

func (d delivery) request() *http.Request {
	r := httptest.NewRequest(d.method, d.path, strings.NewReader(d.body))
	mac := hmac.New(sha256.New, []byte(d.secret))
	mac.Write([]byte(d.body))
	for name, value := range map[string]string{"Content-Type": "application/json; charset=utf-8", "X-GitHub-Event": "push",
		"X-GitHub-Delivery": d.id, "X-Hub-Signature-256": fmt.Sprintf("sha256=%x", mac.Sum(nil))} {
		r.Header.Set(name, value)
	}
	for name, values := range d.header {
		r.Header[name] = values
	}
	return r
}

// hookAnswer is what a request is answered with.
type hookAnswer struct {
	status                     int
	Result, Reason, Deployment string
}

func (h *hooked) send(d delivery) hookAnswer { h.t.Helper(); return h.serve(d.request()) }

func (h *hooked) serve(r *http.Request) (a hookAnswer) {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	require.Equal(h.t, "application/json", w.Header().Get("Content-Type"))
	require.Equal(h.t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	require.Equal(h.t, w.Code == http.StatusServiceUnavailable, w.Header().Get("Retry-After") != "")
	require.Equal(h.t, w.Code == http.StatusMethodNotAllowed, w.Header().Get("Allow") == "POST")
	require.NoError(h.t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	require.NotContains(h.t, w.Body.String(), h.webhook)
	require.NotContains(h.t, w.Body.String(), h.token)
	a.status = w.Code
	return a
}

func (h *hooked) deliveries() []*forge.Delivery {
	h.t.Helper()
	all, err := h.Hooks.Deliveries(h.t.Context(), forge.DeliveryFilter{Site: h.site.ID}, forge.Page{})
	require.NoError(h.t, err)
	return all
}

func TestPushDeploys(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	a := h.send(h.push(1))
	require.Equal(t, hookAnswer{http.StatusAccepted, "deployed", "", a.Deployment}, a)
	d, err := h.Deployments.Get(t.Context(), a.Deployment)
	require.NoError(t, err)
	require.Equal(t, []any{"main", "", forge.DeploymentPending}, []any{d.Branch, d.Commit, d.Status})
	require.Equal(t, "webhook github", h.get(d.Action).Actor)

	seen := hookAnswer{http.StatusOK, "duplicate", "it was received before", a.Deployment}
	require.Equal(t, seen, h.send(h.push(1)), "the same delivery")
	replayed := h.push(1)
	replayed.id = "another"
	require.Equal(t, seen, h.send(replayed), "the same body under another id")
	other := h.push(2)
	other.id = "id-1"
	require.Equal(t, seen, h.send(other), "another body under the same id")

	covered := h.send(h.push(3))
	require.Equal(t, a, covered, "the pending deployment covers it")
	all := h.deliveries()
	require.Len(t, all, 2)
	require.Equal(t, forge.Delivery{ID: all[0].ID, Owner: "acme", Site: h.site.ID, Source: "github", Key: "id-1", Digest: all[0].Digest,
		Branch: "main", Commit: headOf, Result: forge.DeliveryDeployed, Deployment: a.Deployment, Created: all[0].Created}, *all[0])
	for d, err := range h.Hooks.AllDeliveries(t.Context(), forge.DeliveryFilter{Key: "id-3"}) {
		require.NoError(t, err)
		require.Equal(t, all[1], d)
	}
	require.Len(t, h.contents().Deployments, 1)
}

const forged = "there is no such site, or the signature or the token is not that of its secret"

func TestWhatDeploysNothing(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	event := func(name string) func(*delivery) {
		return func(d *delivery) { d.header.Set("X-GitHub-Event", name) }
	}
	body := func(text string) func(*delivery) { return func(d *delivery) { d.body = text } }
	ref := func(ref string) func(*delivery) { return body(`{"ref":"` + ref + `","after":"` + headOf + `"}`) }
	for name, c := range map[string]struct {
		edit           func(*delivery)
		status         int
		result, reason string
	}{
		"a ping":             {event("ping"), 200, "ping", "the secret is right"},
		"an issue":           {event("issues"), 200, "ignored", "the event is not a push"},
		"another branch":     {ref("refs/heads/next"), 200, "ignored", "the site deploys another branch"},
		"a longer branch":    {ref("refs/heads/main/x"), 200, "ignored", "the site deploys another branch"},
		"a tag":              {ref("refs/tags/main"), 200, "ignored", "the site deploys another branch"},
		"a deletion":         {body(`{"ref":"refs/heads/main","after":"` + strings.Repeat("0", 40) + `"}`), 200, "ignored", "the branch was deleted"},
		"a forgery":          {func(d *delivery) { d.secret = "guessed" }, 401, "error", forged},
		"a forgery, no JSON": {func(d *delivery) { d.secret, d.body = "guessed", "{" }, 401, "error", forged},
		"a forged ping": {func(d *delivery) { d.secret = "guessed"; event("ping")(d) }, 401, "error",
			forged},
		"another site's secret": {func(d *delivery) { d.secret = h.token }, 401, "error", forged},
		"no signature": {func(d *delivery) { d.header["X-Hub-Signature-256"] = nil }, 401, "error",
			"no signature with SHA-256, and no token: set the secret of the webhook"},
		"no system":     {func(d *delivery) { d.header["X-Github-Event"] = nil }, 400, "error", "no headers of GitHub, GitLab, Gitea, Forgejo or Bitbucket"},
		"no JSON":       {body("{"), 400, "error", "the body is not that of a push: it is cut off"},
		"no push":       {body("{}"), 400, "error", "the body is not that of a push: ref is missing"},
		"ref twice":     {body(hookHead + `1,"ref":"refs/heads/next"}`), 400, "error", `the body is not that of a push: "ref" is there twice`},
		"a form":        {func(d *delivery) { d.header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415, "error", "the body must be application/json: choose that as the webhook's content type"},
		"no type":       {func(d *delivery) { d.header["Content-Type"] = nil }, 415, "error", "the body must be application/json: choose that as the webhook's content type"},
		"compressed":    {func(d *delivery) { d.header.Set("Content-Encoding", "gzip") }, 415, "error", "the body must not be encoded"},
		"a GET":         {func(d *delivery) { d.method = http.MethodGet }, 405, "error", "only POST is answered"},
		"a PUT":         {func(d *delivery) { d.method = http.MethodPut }, 405, "error", "only POST is answered"},
		"no site":       {func(d *delivery) { d.path = "/" + newID() }, 401, "error", forged},
		"no id":         {func(d *delivery) { d.path = "/x%00y" }, 404, "error", "there is no such site"},
		"nothing":       {func(d *delivery) { d.path = "/" }, 404, "error", "the address ends with the id of a site, or that and a token"},
		"too deep":      {func(d *delivery) { d.path += "/x/y" }, 404, "error", "the address ends with the id of a site, or that and a token"},
		"an open slash": {func(d *delivery) { d.path += "/" }, 404, "error", "the address ends with the id of a site, or that and a token"},
		"too large":     {body(hookHead + strings.Repeat(" ", 25<<20) + "1}"), 413, "error", "the body must have at most 25 MiB"},
	} {
		d := h.push(0)
		c.edit(&d)
		d.id = strings.ReplaceAll(name, " ", "-")
		require.Equal(t, hookAnswer{c.status, c.result, c.reason, ""}, h.send(d), name)
	}
	c := h.contents()
	require.Empty(t, c.Deployments)
	require.Empty(t, c.Actions)
	for _, d := range h.deliveries() {
		require.Equal(t, forge.DeliveryIgnored, d.Result)
		require.NotEmpty(t, d.Reason)
	}
	require.Len(t, h.deliveries(), 4, "pushes that are authentic")
}

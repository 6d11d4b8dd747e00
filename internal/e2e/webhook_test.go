package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
)

// hooks is where a site's webhooks arrive.
type hooks struct {
	*httptest.Server
	site   *site
	secret string
}

func newHooks(t *testing.T, s *site) *hooks {
	t.Helper()
	secret, err := s.e.Hooks.Secret(t.Context(), s.ID, forge.Webhook)
	require.NoError(t, err)
	server := httptest.NewServer(http.StripPrefix("/hooks", s.e.For(s.Owner).Hooks.Handler()))
	t.Cleanup(server.Close)
	return &hooks{server, s, secret.Reveal()}
}

// answered is what a request was answered with.
type answered struct {
	status                     int
	Result, Reason, Deployment string
}

// deliver sends a push as GitHub does.
func (h *hooks) deliver(t *testing.T, id, secret, body string) answered {
	t.Helper()
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return h.post(t, "", body, "Content-Type", "application/json", "X-GitHub-Event", "push", "X-GitHub-Delivery", id,
		"X-Hub-Signature-256", fmt.Sprintf("sha256=%x", mac.Sum(nil)))
}

func (h *hooks) post(t *testing.T, path, body string, header ...string) (a answered) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/hooks/"+h.site.ID+path, strings.NewReader(body))
	assert.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := h.Client().Do(req)
	if !assert.NoError(t, err) {
		return a
	}
	defer func() { _ = res.Body.Close() }()
	assert.NoError(t, json.NewDecoder(res.Body).Decode(&a))
	a.status = res.StatusCode
	return a
}

// moveMain is a push of what the repository has already.
const moveMain = `runuser -u git -- git -C "/home/git/$1.git" update-ref refs/heads/main "$2"`

// Five pushes are delivered twenty times: each once as it is, once doubled, once
// under another id, and once forged.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	s := newGitSite(t, e, srv, forge.SiteOpts{DeployScript: alone})
	h := newHooks(t, s)
	first := s.history(t)
	commits := make([]string, 5)
	for i := range commits {
		commits[i] = s.commit(t, "public/index.php", fmt.Sprintf(`<?php echo "commit %d";`, i))
	}
	e.bash(t, srv, moveMain, s.repo, first[0].CommitHash)

	var mu sync.Mutex
	answers := make([][]answered, len(commits)) // all but of the forged
	var sending sync.WaitGroup
	began := time.Now()
	for i, commit := range commits {
		e.bash(t, srv, moveMain, s.repo, commit)
		body := fmt.Sprintf(`{"ref":"refs/heads/main","after":%q,"commits":[{"message":"\"; touch /tmp/x; '\n<b>"}]}`, commit)
		for _, id := range []string{fmt.Sprint("push-", i), fmt.Sprint("push-", i), fmt.Sprint("replay-", i)} {
			sending.Go(func() {
				a := h.deliver(t, id, h.secret, body)
				mu.Lock()
				defer mu.Unlock()
				answers[i] = append(answers[i], a)
			})
		}
		sending.Go(func() {
			a := h.deliver(t, fmt.Sprint("forged-", i), "guessed", fmt.Sprintf(`{"ref":"refs/heads/main","after":"%040d"}`, i+1))
			assert.Equal(t, http.StatusUnauthorized, a.status)
			assert.Empty(t, a.Deployment)
		})
	}
	sending.Wait()
	took := time.Since(began)

	for _, of := range answers {
		slices.SortFunc(of, func(a, b answered) int { return b.status - a.status })
		require.Len(t, of, 3)
		require.Equal(t, answered{http.StatusAccepted, "deployed", "", of[0].Deployment}, of[0])
		for _, again := range of[1:] {
			require.Equal(t, answered{http.StatusOK, "duplicate", "it was received before", of[0].Deployment}, again)
		}
		d, err := e.Deployments.Get(t.Context(), of[0].Deployment)
		require.NoError(t, err)
		s.deployed(t, d)
	}
	made := s.history(t)[len(first):]
	require.LessOrEqual(t, len(made), len(commits))
	for i, d := range made {
		require.Equal(t, forge.DeploymentFinished, d.Status)
		if i > 0 {
			require.False(t, d.Started.Before(made[i-1].Finished), "two ran at once")
		}
	}
	require.Equal(t, commits[4], made[len(made)-1].CommitHash)
	require.Equal(t, "commit 4", get(t, srv, s.Domain, "/").body)
	received, err := e.Hooks.Deliveries(t.Context(), forge.DeliveryFilter{Site: s.ID}, forge.Page{})
	require.NoError(t, err)
	require.Len(t, received, len(commits))
	t.Logf("20 deliveries of 5 pushes in %s were answered by %d deployments", took.Round(time.Millisecond), len(made))

	token, err := e.Hooks.Secret(t.Context(), s.ID, forge.DeployURL)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, h.post(t, "/"+h.secret, "").status)
	a := h.post(t, "/"+token.Reveal(), "")
	require.Equal(t, http.StatusAccepted, a.status)
	d, err := e.Deployments.Wait(t.Context(), a.Deployment)
	require.NoError(t, err)
	require.Equal(t, commits[4], d.CommitHash)
}

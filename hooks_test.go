package forge_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestDeployURL(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	call := delivery{method: http.MethodPost, path: "/" + h.site.ID + "/" + h.token, body: "ignored"}
	a := h.send(call)
	require.Equal(t, hookAnswer{http.StatusAccepted, "deployed", "", a.Deployment}, a)
	require.Equal(t, a, h.send(call), "the pending deployment covers it")
	d, err := h.Deployments.Get(t.Context(), a.Deployment)
	require.NoError(t, err)
	require.Equal(t, "deploy url", h.get(d.Action).Actor)

	none := hookAnswer{http.StatusNotFound, "error", "there is no such deploy URL", ""}
	for _, path := range []string{h.site.ID + "/x", h.site.ID + "/" + h.webhook, newID() + "/" + h.token, h.site.ID + "/" + h.token[1:]} {
		require.Equal(t, none, h.send(delivery{method: http.MethodPost, path: "/" + path}), path)
	}
	call.method = http.MethodGet
	require.Equal(t, http.StatusMethodNotAllowed, h.send(call).status)
	require.Len(t, h.contents().Deployments, 1)
	require.Empty(t, h.deliveries())
}

func TestMounted(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	mux := http.NewServeMux()
	mux.Handle("/a/hooks/", http.StripPrefix("/a/hooks", h.handler))
	mux.Handle("/b/", http.StripPrefix("/b/", h.handler))
	h.handler = mux
	for i, prefix := range []string{"/a/hooks/", "/b/"} {
		d := h.push(i)
		d.path = prefix + h.site.ID
		require.Equal(t, http.StatusAccepted, h.send(d).status)
		d.path += "/" + h.token
		require.Equal(t, http.StatusAccepted, h.send(d).status)
	}
}

func TestHooksOfAnOwner(t *testing.T) {
	t.Parallel()
	h := newHooked(t, idle(t))
	good, none := [2]int{http.StatusAccepted, http.StatusAccepted}, [2]int{http.StatusUnauthorized, http.StatusNotFound}
	for owner, status := range map[string][2]int{"acme": good, "other": none, "": none} {
		h.handler = h.For(owner).Hooks.Handler()
		require.Equal(t, status[0], h.send(h.push(len(owner))).status, owner)
		require.Equal(t, status[1], h.send(delivery{method: http.MethodPost, path: "/" + h.site.ID + "/" + h.token}).status, owner)
	}
	for _, owner := range []string{"other", ""} {
		theirs := h.For(owner).Hooks
		_, err := theirs.Secret(t.Context(), h.site.ID, forge.Webhook)
		require.ErrorIs(t, err, forge.ErrNotFound)
		_, err = theirs.Rotate(t.Context(), h.site.ID, forge.Webhook, 0)
		require.ErrorIs(t, err, forge.ErrNotFound)
		all, err := theirs.Deliveries(t.Context(), forge.DeliveryFilter{}, forge.Page{})
		require.NoError(t, err)
		require.Empty(t, all)
	}
	s, err := h.For("acme").Hooks.Secret(t.Context(), h.site.ID, forge.Webhook)
	require.NoError(t, err)
	require.Equal(t, h.webhook, s.Reveal())
}

func TestSecretsOfHooksAreSealed(t *testing.T) {
	t.Parallel()
	w := idle(t)
	site, _, err := w.Sites.Create(t.Context(), w.addServer("acme").ID, forge.SiteOpts{Domain: "example.com"})
	require.NoError(t, err)
	values := map[string]bool{}
	for _, hook := range []forge.Hook{forge.Webhook, forge.DeployURL} {
		s, err := w.Hooks.Secret(t.Context(), site.ID, hook)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(s.Reveal()), 40)
		values[s.Reveal()] = true
		require.NotContains(t, fmt.Sprintf("%+v %#v", w.contents(), site), s.Reveal())
	}
	require.Len(t, values, 2)
	opened, err := w.sealer.Open(t.Context(), site.Webhook.Current, "sites/"+site.ID+"/webhook")
	require.NoError(t, err)
	require.True(t, values[opened.Reveal()])
	_, err = w.sealer.Open(t.Context(), site.DeployURL.Current, "sites/"+site.ID+"/webhook")
	require.ErrorIs(t, err, secret.ErrNotAuthentic)
}

// The one before is good for a time too.
func TestRotation(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		h := newHooked(t, newWorld(t, store, q, providertest.FakeConfig{}))
		n := 0
		answers := func(webhook, token string) (statuses [2]int) {
			n++
			d := h.push(n)
			d.secret = webhook
			statuses[0] = h.send(d).status
			statuses[1] = h.send(delivery{method: http.MethodPost, path: "/" + h.site.ID + "/" + token}).status
			return statuses
		}
		good, bad := [2]int{http.StatusAccepted, http.StatusAccepted}, [2]int{http.StatusUnauthorized, http.StatusNotFound}

		first := [2]string{h.webhook, h.token}
		second := [2]string{h.rotate(forge.Webhook, time.Hour), h.rotate(forge.DeployURL, time.Hour)}
		require.NotEqual(t, first, second)
		require.Equal(t, good, answers(first[0], first[1]))
		require.Equal(t, good, answers(second[0], second[1]))
		require.Equal(t, bad, answers(second[1], second[0]))
		time.Sleep(time.Hour - time.Second)
		require.Equal(t, good, answers(first[0], first[1]))
		time.Sleep(time.Second)
		require.Equal(t, bad, answers(first[0], first[1]))
		require.Equal(t, good, answers(second[0], second[1]))

		third := [2]string{h.rotate(forge.Webhook, time.Hour), h.rotate(forge.DeployURL, time.Hour)}
		fourth := [2]string{h.rotate(forge.Webhook, time.Hour), h.rotate(forge.DeployURL, time.Hour)}
		require.Equal(t, bad, answers(second[0], second[1]), "the one before the last is not good")
		require.Equal(t, good, answers(third[0], third[1]))
		fifth := [2]string{h.rotate(forge.Webhook, 0), h.rotate(forge.DeployURL, 0)}
		require.Equal(t, bad, answers(fourth[0], fourth[1]), "nothing was to be kept")
		require.Equal(t, good, answers(fifth[0], fifth[1]))
		for i, hook := range []forge.Hook{forge.Webhook, forge.DeployURL} {
			s, err := h.Hooks.Secret(t.Context(), h.site.ID, hook)
			require.NoError(t, err)
			require.Equal(t, fifth[i], s.Reveal())
		}
	})
}

func TestBadHooks(t *testing.T) {
	t.Parallel()
	w := idle(t)
	site := w.addSite(w.addServer("acme"), "example.com")
	before := w.contents()
	_, err := w.Hooks.Rotate(t.Context(), site.ID, "?", 0)
	require.ErrorIs(t, err, forge.ErrInvalid)
	require.EqualError(t, err, `hook: must be "webhook" or "deploy_url"`)
	_, err = w.Hooks.Rotate(t.Context(), site.ID, forge.Webhook, -1)
	require.EqualError(t, err, "keep: must not be negative")
	_, err = w.Hooks.Secret(t.Context(), site.ID, "")
	require.ErrorIs(t, err, forge.ErrInvalid)
	_, err = w.Hooks.Secret(t.Context(), site.ID, forge.Webhook)
	require.ErrorIs(t, err, forge.ErrState)
	_, err = w.Hooks.Rotate(t.Context(), newID(), forge.Webhook, 0)
	require.ErrorIs(t, err, forge.ErrNotFound)
	require.Equal(t, before, w.contents())
}

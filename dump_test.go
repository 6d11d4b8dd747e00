package forge_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/pgtest"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

// TestADumpHoldsNoSecret makes every secret that there is, has a server print all of
// them, and dumps the database in the middle of a deployment and at the end. With a
// Sealer that seals nothing, the same search finds each.
func TestADumpHoldsNoSecret(t *testing.T) {
	t.Parallel()
	t.Run("sealed", func(t *testing.T) {
		t.Parallel()
		keys, err := tink.New()
		require.NoError(t, err)
		d := newDumped(t, keys)
		during, after := d.live()
		require.Len(t, d.secrets(), 3+4+2+5, "of the server, of the hooks, tokens, and what was planted")
		for name, value := range d.secrets() {
			require.Empty(t, seen(during, value), "%s, during a deployment", name)
			require.Empty(t, seen(after, value), "%s, at the end", name)
		}
		require.Contains(t, during+after, "[secret]", "what was printed is masked")
		require.Contains(t, after, d.name, "this is no secret")
	})
	t.Run("not sealed", func(t *testing.T) {
		t.Parallel()
		d := newDumped(t, open{})
		during, _ := d.live()
		for name, value := range d.secrets() {
			require.NotEmpty(t, seen(during, value), "%s cannot be found", name)
		}
		for name, value := range d.forgotten() {
			require.NotContains(t, during, hex.EncodeToString([]byte(value)), "%s is of no use any more", name)
		}
	})
}

// seen returns the forms of a secret that are in a text: any of its lines, or of a
// key what makes it one, as it is and in base64, and both of that in hex, as dumps
// spell bytes.
func seen(text, value string) (found []string) {
	parts := []string{value}
	if key, err := ssh.ParseRawPrivateKey([]byte(value)); err == nil {
		parts = append(parts, string(key.(*ed25519.PrivateKey).Seed()))
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= 8 && !strings.HasPrefix(line, "-----") {
			parts = append(parts, line)
		}
	}
	var forms []string
	for _, part := range parts {
		forms = append(forms, part)
		for shift := range 3 {
			forms = append(forms, base64.RawStdEncoding.EncodeToString([]byte(part[shift:shift+(len(part)-shift)/3*3])))
		}
	}
	for _, form := range forms {
		for _, form := range []string{form, hex.EncodeToString([]byte(form))} {
			if strings.Contains(text, form) {
				found = append(found, form)
			}
		}
	}
	return found
}

// plant makes a secret of the embedder's.
func (d *dumped) plant(what string) secret.Secret {
	d.planted[what] = rand.Text()
	return secret.New(d.planted[what])
}

func (d *dumped) finish(a *forge.Action, err error) {
	d.t.Helper()
	require.NoError(d.t, err)
	_, err = d.Actions.Wait(d.t.Context(), a.ID)
	require.NoError(d.t, err)
}

// live does what makes secrets, and returns dumps of the middle and of the end.
func (d *dumped) live() (during, after string) {
	t, ctx := d.t, d.t.Context()
	srv, action, err := d.Servers.Create(ctx, forge.ServerOpts{Name: d.name, Provider: "cloud", IdempotencyKey: "one",
		Stack: forge.Stack{Database: forge.MariaDB, Redis: true}})
	d.finish(action, err)
	site, action, err := d.Sites.Create(ctx, srv.ID, forge.SiteOpts{Domain: "example.com", Kind: forge.StaticSite,
		Repository: "https://git.example.com/app.git", RepositoryUser: "oauth2", RepositoryToken: d.plant("token")})
	d.finish(action, err)
	action, err = d.Sites.SetEnvironment(ctx, site.ID, []forge.EnvVar{
		{Name: "KEY", Value: d.plant("variable")}, {Name: "MODE", Value: d.plant("plain variable"), Plain: true}})
	d.finish(action, err)
	d.delivers(site)
	for _, hook := range []forge.Hook{forge.Webhook, forge.DeployURL} {
		_, err = d.Hooks.Rotate(ctx, site.ID, hook, time.Hour)
		require.NoError(t, err)
	}
	// A deployment prints all, and waits; what else is asked for waits for it.
	printed := d.secrets()
	delete(printed, "plain variable") // is not masked
	d.prints <- text(printed)
	deployment, err := d.Deployments.Trigger(ctx, site.ID, nil)
	require.NoError(t, err)
	<-d.printed
	elsewhere := "https://other.example.com/app.git"
	_, update, err := d.Sites.Update(ctx, site.ID, forge.SiteUpdate{Repository: &elsewhere})
	require.NoError(t, err)
	require.NoError(t, d.Sites.SetToken(ctx, site.ID, d.plant("next token")))
	environment, err := d.Sites.SetEnvironment(ctx, site.ID, []forge.EnvVar{{Name: "KEY", Value: d.plant("next variable")}})
	require.NoError(t, err)
	for line, err := range d.Deployments.Follow(ctx, deployment.ID, 0) { // until it is stored
		require.NoError(t, err)
		if strings.Contains(line.Text, "[secret]") {
			break
		}
	}
	during = d.dump()
	close(d.goOn)
	_, err = d.Deployments.Wait(ctx, deployment.ID)
	require.NoError(t, err)
	d.finish(update, nil)
	d.finish(environment, nil)
	action, err = d.Servers.RestartService(ctx, srv.ID, "nginx")
	require.NoError(t, err)
	_, err = d.Actions.Wait(ctx, action.ID)
	require.ErrorIs(t, err, forge.ErrFailed)
	return during, d.dump()
}

// delivers calls the webhook and the deploy URL of a site, and awaits what follows.
func (d *dumped) delivers(site *forge.Site) {
	t, ctx := d.t, d.t.Context()
	hook, err := d.Hooks.Secret(ctx, site.ID, forge.Webhook)
	require.NoError(t, err)
	token, err := d.Hooks.Secret(ctx, site.ID, forge.DeployURL)
	require.NoError(t, err)
	push := httptest.NewRequestWithContext(ctx, http.MethodPost, "/"+site.ID,
		strings.NewReader(`{"ref":"refs/heads/main","after":"`+strings.Repeat("b", 40)+`"}`))
	push.Header = http.Header{"Content-Type": {"application/json"}, "X-Gitlab-Event": {"Push Hook"},
		"Idempotency-Key": {"push-1"}, "X-Gitlab-Token": {hook.Reveal()}}
	call := httptest.NewRequestWithContext(ctx, http.MethodPost, "/"+site.ID+"/"+token.Reveal(), http.NoBody)
	for _, request := range []*http.Request{push, call} {
		answer := httptest.NewRecorder()
		d.Hooks.Handler().ServeHTTP(answer, request)
		var said struct{ Deployment string }
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &said))
		require.NotEmpty(t, said.Deployment, "%d %s", answer.Code, answer.Body)
		_, err := d.Deployments.Wait(ctx, said.Deployment)
		require.NoError(t, err)
	}
}

// dump is the database as pg_dump writes it, and the logs, which are compressed
// there.
func (d *dumped) dump() string {
	var all strings.Builder
	all.WriteString(pgtest.Dump(d.t, d.url))
	for action, err := range d.Actions.All(d.t.Context(), forge.ActionFilter{}) {
		require.NoError(d.t, err)
		for line, err := range d.store.Log(d.t.Context(), action.ID, 0) {
			if errors.Is(err, forge.ErrNotFound) {
				break // a parent
			}
			require.NoError(d.t, err)
			fmt.Fprintln(&all, line.Text)
		}
	}
	return all.String()
}

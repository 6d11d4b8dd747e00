package e2e

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// planter is a Sealer that remembers what it sealed, by its place: all the
// secrets that forge knows.
type planter struct {
	secret.Sealer
	mu     sync.Mutex
	values map[string]string
}

func (p *planter) Seal(ctx context.Context, s secret.Secret, place string) (secret.Sealed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.values[place] = s.Reveal()
	return p.Sealer.Seal(ctx, s, place)
}

// of are the secrets of a record, each by itself.
func (p *planter) of(id string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := maps.Clone(p.values)
	maps.DeleteFunc(found, func(place, _ string) bool {
		return !strings.Contains(place, id) || strings.HasPrefix(place, "actions/") || strings.HasSuffix(place, "/environment") ||
			strings.HasSuffix(place, "/host_key") // the given one, which opens nothing after the first contact
	})
	return found
}

//go:embed leak.sh
var leak string

// leaker is a site whose scripts print every secret there is.
type leaker struct {
	*site
	secrets map[string]string
	forms   []string // what must not be seen anywhere
}

// newLeaker makes a site with every secret that a site can have, and puts all of
// them, and its server's, where its user can read them.
func newLeaker(t *testing.T, e *embedder, srv *forge.Server) *leaker {
	t.Helper()
	host, token := newHost(t, e, srv), "token-"+rand.Text()
	host.Require("oauth2", token)
	host.Commit(t, "app", map[string]string{"public/index.php": "<?php echo 1;"})
	s := &leaker{site: newSite(t, e, srv, forge.SiteOpts{
		Repository: host.Repo("app"), RepositoryUser: "oauth2", RepositoryToken: secret.New(token),
		DeployScript: `[ -d ~/planted ] || exit 0
` + leak + `
value=$(cat ~/planted/*webhook)
mkfifo ~/go
echo waits
printf '%s' "${value:0:9}"
read -r <~/go || true
printf '%s\n' "${value:9}"`,
	})}
	env := map[string]string{
		"SIMPLE": "simple-" + rand.Text(), "QUOTED": `it's "quoted" $HOME\n ` + "`" + rand.Text(),
		"LINES": "first " + rand.Text() + "\nsecond=\"" + rand.Text() + "\"\n", "URL": "https://me:" + rand.Text() + "/+ü@db/x?y=z&w",
	}
	vars := []forge.EnvVar{{Name: "PLAIN", Value: secret.New("plain-" + rand.Text()), Plain: true}}
	for name, value := range env {
		vars = append(vars, forge.EnvVar{Name: name, Value: secret.New(value)})
	}
	action, err := e.Sites.SetEnvironment(t.Context(), s.ID, vars)
	e.finish(t, action, err)

	s.secrets = e.sealer.of(srv.ID)
	maps.Copy(s.secrets, e.sealer.of(s.ID))
	maps.Copy(s.secrets, env)
	for place, value := range s.secrets {
		e.bashWith(t, srv, s.User, value, `umask 077; mkdir -p ~/planted; cat >~/planted/`+strings.ReplaceAll(place, "/", "-"))
		s.forms = append(s.forms, forms(value)...)
	}
	return s
}

// forms are what a secret looks like, said without the help of what is tested.
func forms(value string) (all []string) {
	for line := range strings.Lines(value) {
		all = append(all, strings.TrimSpace(line))
	}
	quoted, _ := json.Marshal(value)
	all = append(all, url.QueryEscape(value), url.PathEscape(value), strings.ReplaceAll(url.QueryEscape(value), "+", "%20"),
		string(quoted[1:len(quoted)-1]))
	for shift := range 3 {
		inner := value[shift : shift+(len(value)-shift)/3*3]
		encoded := base64.StdEncoding.EncodeToString([]byte(inner))
		all = append(all, encoded)
		if strings.Contains(value, "\n") {
			continue // keys of one type have much in common
		}
		// Wrapped, no more than three characters are left at an end.
		for i := 4; i+12 <= len(encoded)-4; i++ {
			all = append(all, encoded[i:i+12])
		}
	}
	// Keys begin and end with the same lines.
	return slices.DeleteFunc(all, func(form string) bool { return len(form) < 8 || strings.HasPrefix(form, "-----") })
}

// leaked returns the forms of secrets that are in a text.
func (s *leaker) leaked(text string) (found []string) {
	for _, form := range s.forms {
		if strings.Contains(text, form) {
			found = append(found, form)
		}
	}
	return found
}

func TestNoSecretIsSeen(t *testing.T) {
	t.Parallel()
	e, srv := theServer(t)
	thief := newSite(t, e, srv, forge.SiteOpts{})
	s := newLeaker(t, e, srv)
	require.Len(t, s.secrets, 3+3+4, "%v", slices.Sorted(maps.Keys(s.secrets)))
	var short []string
	for _, value := range s.secrets {
		if !strings.Contains(value, "\n") {
			short = append(short, value)
		}
	}
	spy := watchFiles([]string{"cmdline"}, short...)

	// A deployment, in the middle of which a secret that it printed half of is
	// made anew.
	d, err := e.Deployments.Trigger(t.Context(), s.ID, nil)
	require.NoError(t, err)
	e.await(t, d.Action, "waits")
	_, err = e.Hooks.Rotate(t.Context(), s.ID, forge.Webhook, 0)
	require.NoError(t, err)
	running, err := e.Actions.Get(t.Context(), d.Action)
	require.NoError(t, err)
	require.NotEmpty(t, running.Secrets)
	e.bashAs(t, srv, s.User, "echo >~/go")
	s.deployed(t, d)
	e.bashAs(t, srv, s.User, "rm ~/planted/*webhook") // nobody's any more

	// Commands that fail, of the site's user and of root.
	for _, user := range []string{s.User, "root"} {
		script := "cd /home/" + s.User + "; HOME=$PWD\n" + leak + "\nexit 3"
		action, err := e.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{User: user, Command: script})
		require.NoError(t, err)
		_, err = e.Actions.Wait(t.Context(), action.ID)
		require.ErrorIs(t, err, forge.ErrFailed)
		require.Empty(t, s.leaked(fmt.Sprintf("%v %+v", err, err)))

		result, err := e.Servers.Run(t.Context(), srv.ID, forge.RunOpts{User: user,
			Script: "head -c 5000 /dev/zero | tr '\\0' '\\n' >&2; cat /home/" + s.User + "/planted/* >&2; exit 3"})
		var exit *sshexec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Contains(t, err.Error(), "[secret]")
		require.Empty(t, s.leaked(err.Error()))
		require.NotEmpty(t, s.leaked(string(result.Stderr)), "who asks gets the answer")
	}
	// An environment that cannot be written.
	e.bashAs(t, srv, s.User, `mv ~/"$1" ~/away; touch ~/"$1"`, s.Directory)
	action, err := e.Sites.SetEnvironment(t.Context(), s.ID, []forge.EnvVar{{Name: "SIMPLE", Value: secret.New(s.secrets["SIMPLE"])}})
	require.NoError(t, err)
	_, err = e.Actions.Wait(t.Context(), action.ID)
	require.Error(t, err)
	require.Empty(t, s.leaked(err.Error()))
	spy.end()

	require.Empty(t, spy.found, "in the arguments of a process")
	lines := 0
	for action, err := range e.Actions.All(t.Context(), forge.ActionFilter{Server: srv.ID}) {
		require.NoError(t, err)
		for line, err := range e.Actions.Log(t.Context(), action.ID, 0, 0) {
			if err != nil {
				require.ErrorIs(t, err, forge.ErrNotFound)
				break
			}
			require.Empty(t, s.leaked(line.Text), "%s of %s", action.Kind, action.Input.User)
			lines++
		}
	}
	require.Greater(t, lines, 100)
	require.Empty(t, s.leaked(e.dump(t, srv)))
	require.Empty(t, s.leaked(e.seen()))

	// What another site's user can read.
	patterns := strings.Join(append(short, s.forms...), "\n")
	require.Empty(t, e.bashWith(t, srv, thief.User, patterns, `umask 077; cat >~/patterns
find / /run /tmp /var/tmp /dev/shm -xdev -path /usr -prune -o -type f -readable ! -path ~/patterns -print0 2>/dev/null |
	xargs -0 -r grep -lF -f ~/patterns -- || true
rm ~/patterns`))
	thief.denied(t, "cat /var/lib/forge/runs/*/log")
	thief.denied(t, "cat /var/lib/forge/runs/*/script")
}

// dump is every record and every event in the ways in which programs show them.
func (e *embedder) dump(t *testing.T, srv *forge.Server) string {
	t.Helper()
	var b strings.Builder
	add := func(record any, err error) {
		t.Helper()
		require.NoError(t, err)
		data, err := json.Marshal(record)
		require.NoError(t, err)
		fmt.Fprintf(&b, "%s\n%v\n%+v\n%#v\n", data, record, record, record)
	}
	ctx := t.Context()
	for r, err := range e.Servers.All(ctx, forge.ServerFilter{}) {
		add(r, err)
	}
	for r, err := range e.Sites.All(ctx, forge.SiteFilter{}) {
		add(r, err)
		vars, err := e.Sites.Environment(ctx, r.ID)
		if err == nil {
			add(vars, nil)
		}
	}
	for r, err := range e.Keys.All(ctx, forge.KeyFilter{}) {
		add(r, err)
	}
	for r, err := range e.Deployments.All(ctx, forge.DeploymentFilter{}) {
		add(r, err)
	}
	for r, err := range e.Actions.All(ctx, forge.ActionFilter{}) {
		add(r, err)
	}
	for r, err := range e.Hooks.AllDeliveries(ctx, forge.DeliveryFilter{}) {
		add(r, err)
	}
	grants, err := e.Keys.Grants(ctx, forge.GrantFilter{Server: srv.ID}, forge.Page{Limit: forge.MaxPage})
	add(grants, err)
	credentials, err := e.Servers.Credentials(ctx, srv.ID)
	add(credentials, err)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	end := e.insertedNow(t, srv)
	for event, err := range e.Events(ctx, &forge.EventFilter{After: forge.Beginning}) {
		add(event, err)
		if event.Action == end {
			break
		}
	}
	return b.String()
}

// insertedNow is the id of an action that was made just now.
func (e *embedder) insertedNow(t *testing.T, srv *forge.Server) string {
	t.Helper()
	action, err := e.Servers.ValidateProvider(t.Context(), srv.Provider)
	require.NoError(t, err)
	return action.ID
}

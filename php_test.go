package forge_test

import (
	"context"
	"fmt"
	"log"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

func TestPHPThatCannotBeChanged(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	composer := f.addServer("acme", func(s *forge.Server) { s.PublicKey, s.Stack.Composer = keyLine, true })
	f.server.PublicKey = keyLine
	f.put(func(tx forge.Tx) error { return tx.Servers().Update(f.server) })
	before := f.contents()
	for name, test := range map[string]struct {
		class error
		says  string
		call  func(context.Context) (*forge.Action, error)
	}{
		"no version": {forge.ErrInvalid, "php: must be a version", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.AddPHP(ctx, f.server.ID, "8.2; reboot")
		}},
		"an option": {forge.ErrInvalid, "php: must be a version", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.RemovePHP(ctx, f.server.ID, "--all")
		}},
		"not of the image": {forge.ErrInvalid, "php: debian-12 packages have PHP 8.2; use source upstream for 8.3", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.AddPHP(ctx, f.server.ID, "8.3")
		}},
		"there": {forge.ErrState, "has PHP 8.2 already", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.AddPHP(ctx, f.server.ID, "8.2")
		}},
		"not there": {forge.ErrState, "has no PHP 8.4", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.RemovePHP(ctx, f.server.ID, "8.4")
		}},
		"in use": {forge.ErrState, "example.com uses PHP 8.2", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.RemovePHP(ctx, f.server.ID, "8.2")
		}},
		"Composer's": {forge.ErrState, "Composer needs PHP 8.2", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.RemovePHP(ctx, composer.ID, "8.2")
		}},
		"pending server": {forge.ErrState, "the server is pending", func(ctx context.Context) (*forge.Action, error) {
			return f.Servers.AddPHP(ctx, f.pending.ID, "8.2")
		}},
	} {
		_, err := test.call(t.Context())
		require.ErrorIs(t, err, test.class, name)
		require.ErrorContains(t, err, test.says, name)
		require.Equal(t, before, f.contents(), name)
	}
}

// What was possible when it was asked for is looked at again when it begins.
func TestPHPThatIsUsedMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, store forge.Store, q queue.Queue) {
		w := newWorld(t, store, q, providertest.FakeConfig{})
		srv := w.addServer("acme", func(s *forge.Server) { s.PublicKey = keyLine })
		a, err := w.Servers.RemovePHP(t.Context(), srv.ID, "8.2")
		require.NoError(t, err)
		w.addSite(srv, "late.example.com")
		defer w.start()()
		a, err = w.Actions.Wait(t.Context(), a.ID)
		require.Error(t, err)
		require.Equal(t, forge.ActionFailed, a.Status)
		require.Contains(t, a.Failure.Message, "late.example.com uses PHP 8.2")
		require.Equal(t, []string{"8.2"}, w.read(srv.ID).Stack.PHP)
	})
}

// The record follows a run that ended while nobody worked on its action.
func TestPHPWhoseEndNobodySaw(t *testing.T) {
	t.Parallel()
	for kind, test := range map[forge.Kind]struct{ before, after []string }{
		forge.KindAddPHP:    {nil, []string{"8.2"}},
		forge.KindRemovePHP: {[]string{"8.2"}, []string{}},
	} {
		m := newPlayed(t, nil, func(_ *world, o *sshtest.Options) {
			o.Run = func(context.Context, *sshtest.Run) int { return 0 }
		})
		m.hasPHP(test.before)
		ran := make(chan struct{})
		m.Wrap(kind, func(_ context.Context, w forge.TestWork, work func() error) error {
			if err := work(); err != nil {
				return err
			}
			close(ran)
			return w.Wait(time.Hour) // it dies before it writes anything down
		})
		stop := m.start()
		a := m.changePHP(kind)
		<-ran
		stop()
		require.NoError(t, m.Actions.Cancel(t.Context(), a.ID))
		stop = m.start()
		_, err := m.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
		stop()
		require.Equal(t, test.after, m.read(m.server.ID).Stack.PHP, kind)
	}
}

// Packages are not left removed by half because of what happened since it began.
func TestPHPThatIsUsedSinceTheRemovalBegan(t *testing.T) {
	t.Parallel()
	m := newPlayed(t, nil, func(_ *world, o *sshtest.Options) {
		o.Run = func(context.Context, *sshtest.Run) int { return 0 }
	})
	m.hasPHP([]string{"8.2"})
	m.Wrap(forge.KindRemovePHP, func(_ context.Context, w forge.TestWork, work func() error) error {
		begun := w.Action().Cursor.Run != ""
		if err := work(); err != nil || begun {
			return err
		}
		m.addSite(m.server, "late.example.com")
		return w.Wait(time.Millisecond)
	})
	defer m.start()()
	_, err := m.Actions.Wait(t.Context(), m.changePHP(forge.KindRemovePHP).ID)
	require.NoError(t, err)
}

func (m *played) hasPHP(versions []string) {
	m.put(func(tx forge.Tx) error {
		srv, err := tx.Servers().Get(m.server.ID)
		require.NoError(m.t, err)
		srv.Stack.PHP, srv.Stack.Composer = versions, false
		return tx.Servers().Update(srv)
	})
}

func (m *played) changePHP(kind forge.Kind) (a *forge.Action) {
	change := m.Servers.AddPHP
	if kind == forge.KindRemovePHP {
		change = m.Servers.RemovePHP
	}
	a, err := change(m.t.Context(), m.server.ID, "8.2")
	require.NoError(m.t, err)
	return a
}

// A version that is about to go is not given to a site any more.
func TestPHPThatIsAboutToGo(t *testing.T) {
	t.Parallel()
	w := idle(t)
	srv := w.addServer("", func(s *forge.Server) {
		s.PublicKey, s.Stack.PHP, s.Stack.Source = keyLine, []string{"8.2", "8.3"}, forge.SourceUpstream
	})
	site := w.addSite(srv, "example.com", func(s *forge.Site) { s.PHPVersion = "8.3" })
	removal, err := w.Servers.RemovePHP(t.Context(), srv.ID, "8.2")
	require.NoError(t, err)

	_, _, err = w.Sites.Update(t.Context(), site.ID, forge.SiteUpdate{PHPVersion: new("8.2")})
	require.ErrorIs(t, err, forge.ErrState)
	require.ErrorContains(t, err, "PHP 8.2 is about to be removed")
	_, _, err = w.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "a.example.com", PHPVersion: "8.2"})
	require.ErrorIs(t, err, forge.ErrState)
	other, _, err := w.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "a.example.com"})
	require.NoError(t, err)
	require.Equal(t, "8.3", other.PHPVersion)

	require.NoError(t, w.Actions.Cancel(t.Context(), removal.ID))
	_, _, err = w.Sites.Create(t.Context(), srv.ID, forge.SiteOpts{Domain: "b.example.com", PHPVersion: "8.2"})
	require.NoError(t, err)
}

func TestBadStepsAndProxies(t *testing.T) {
	t.Parallel()
	w := idle(t)
	before := w.contents()
	for field, edit := range map[string]func(*forge.Stack){
		"stack.before[0].name":   func(s *forge.Stack) { s.Before = []forge.Step{{Name: "a\x1b[2J", Script: "true"}} },
		"stack.before[1].script": func(s *forge.Stack) { s.Before = []forge.Step{{Name: "a", Script: "true"}, {Name: "b"}} },
		"stack.after[0].script":  func(s *forge.Stack) { s.After = []forge.Step{{Name: "a", Script: "if"}} },
		"stack.after[0].check":   func(s *forge.Stack) { s.After = []forge.Step{{Name: "a", Script: "true", Check: "a\x00"}} },
		"stack.after":            func(s *forge.Stack) { s.After = make([]forge.Step, 51) },
		"http_proxy":             func(s *forge.Stack) { s.HTTPProxy = "http://user:s3cret@proxy:3128" },
		"apt_proxy":              func(s *forge.Stack) { s.AptProxy = "http://proxy\";\nx" },
		"apt_mirror":             func(s *forge.Stack) { s.AptMirror = "file:///etc/passwd" },
		"no_proxy[0]":            func(s *forge.Stack) { s.HTTPProxy, s.NoProxy = "http://proxy", []string{"$(id)"} },
		"no_proxy":               func(s *forge.Stack) { s.NoProxy = []string{"corp.example"} },
	} {
		opts := forge.ServerOpts{Name: "web-1", Provider: "cloud"}
		edit(&opts.Stack)
		require.ErrorIs(t, opts.Validate(), forge.ErrInvalid, field)
		_, _, err := w.Servers.Create(t.Context(), opts)
		var typed *forge.Error
		require.ErrorAs(t, err, &typed, field)
		require.Equal(t, field, typed.Field)
		require.NotContains(t, err.Error(), "s3cret")
		require.Equal(t, before, w.contents())
	}
}

// A server inside a company: packages come from a mirror, everything else goes
// through a proxy, and the company's own certificates and agent are installed
// before and after the stack.
func ExampleStack() {
	f := newForge()
	server, _, err := f.Servers.Create(context.Background(), forge.ServerOpts{
		Name: "web-1", Provider: "cloud",
		Stack: forge.Stack{
			PHP:       []string{"8.2"},
			HTTPProxy: "http://proxy.corp.example:3128",
			NoProxy:   []string{".corp.example", "10.0.0.0/8"},
			AptMirror: "https://packages.corp.example/debian/",
			Before: []forge.Step{{
				Name:   "certificates",
				Script: "apt-get -y install ca-certificates\ncurl -o /usr/local/share/ca-certificates/corp.crt http://pki.corp.example/root.crt\nupdate-ca-certificates",
				Check:  "[[ -e /etc/ssl/certs/corp.pem ]]",
			}},
			After: []forge.Step{{Name: "monitoring", Script: "apt-get -y install prometheus-node-exporter"}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Stack.AptMirror)
	// Output:
	// https://packages.corp.example/debian
}

// A site moves to a newer PHP: the version is added to its server first.
func ExampleServers_AddPHP() {
	ctx, f := context.Background(), newForge()
	var serverID string

	action, err := f.Servers.AddPHP(ctx, serverID, "8.4")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := f.Actions.Wait(ctx, action.ID); err != nil {
		log.Fatal(err)
	}
	server, err := f.Servers.Get(ctx, serverID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(server.Stack.PHP)
	// Output:
	// server: there is no ""
}

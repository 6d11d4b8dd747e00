package forge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// update changes the site, whose update must be let through.
func (s *stage) update(u forge.SiteUpdate) (*forge.Site, *forge.Action) {
	s.t.Helper()
	site, action, err := s.Sites.Update(s.t.Context(), s.site.ID, u)
	require.NoError(s.t, err)
	synctest.Wait()
	return site, action
}

// stubUpdates lets updates come to a stage and end with what is sent.
func (s *stage) stubUpdates(stageName string) {
	s.Stub(forge.KindUpdateSite, func(ctx context.Context, w forge.TestWork) error {
		if stageName != "" {
			if err := w.Stage(ctx, stageName); err != nil {
				return err
			}
		}
		select {
		case err := <-s.outcome:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// updates are the actions that update the site, the oldest first.
func (s *stage) updates() []*forge.Action {
	found, err := s.Actions.List(s.t.Context(), forge.ActionFilter{Kind: forge.KindUpdateSite}, forge.Page{})
	require.NoError(s.t, err)
	return found
}

func TestUpdateIsInTheRecordAtOnce(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		s.stubUpdates("")
		running := s.trigger(nil)
		site, action := s.update(forge.SiteUpdate{
			Domain: new("New.example.com"), Aliases: &[]string{"www.new.example.com"}, WebDirectory: new("web"), Branch: new("next"),
		})
		require.Equal(t, s.readSite(), site)
		require.Equal(t, "new.example.com [www.new.example.com] /web next", site.Domain+" ["+strings.Join(site.Aliases, " ")+"] "+site.WebDirectory+" "+site.Branch)
		require.Equal(t, "example.com", site.Directory)
		require.Equal(t, &forge.SiteUpdate{Domain: new("example.com"), Aliases: new([]string), WebDirectory: new("/public"), Branch: new("main")},
			action.Input.Restore)
		require.Equal(t, forge.ActionPending, s.get(action.ID).Status, "a deployment runs")
		s.addSite(mustServer(s), "example.com") // the name is free

		_, _, err := s.Sites.Update(t.Context(), s.site.ID, forge.SiteUpdate{Branch: new("other")})
		require.ErrorIs(t, err, forge.ErrState, "an update is open")
		s.outcome <- nil
		synctest.Wait()
		require.Equal(t, forge.DeploymentFinished, s.status(running))
		require.Equal(t, forge.ActionRunning, s.get(action.ID).Status)
		s.outcome <- nil
		synctest.Wait()
		require.Equal(t, forge.ActionFinished, s.get(action.ID).Status)
		require.Equal(t, "new.example.com", s.readSite().Domain)
	})
}

// A deployment of the old branch that waits must not undo the change.
func TestUpdateOfWhatIsPending(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		s.stubUpdates("")
		pending := func() *forge.Deployment {
			found, err := s.Deployments.List(t.Context(), forge.DeploymentFilter{Status: []forge.DeploymentStatus{forge.DeploymentPending}}, forge.Page{})
			require.NoError(t, err)
			require.Len(t, found, 1)
			return found[0]
		}
		running, old := s.trigger(nil), s.trigger(nil)
		_, update := s.update(forge.SiteUpdate{Branch: new("release")})
		require.Equal(t, forge.ActionFinished, update.Status)
		require.Equal(t, forge.DeploymentSuperseded, s.status(old))
		require.Equal(t, forge.DeploymentRunning, s.status(running))
		released := pending()
		require.Equal(t, "release", released.Branch)
		require.Equal(t, s.get(old.Action).Actor, s.get(released.Action).Actor)

		_, update = s.update(forge.SiteUpdate{Repository: new("https://example.com/next.git"), Branch: new("main")})
		require.Equal(t, forge.DeploymentSuperseded, s.status(released))
		next := pending()
		require.Equal(t, "main", next.Branch)
		require.Greater(t, next.Action, update.ID, "so that it comes after the update")
		require.NoError(t, s.Actions.Cancel(t.Context(), update.ID))
		synctest.Wait()
		require.Equal(t, forge.DeploymentSuperseded, s.status(next))
		require.Equal(t, "release", pending().Branch, "as the settings are")

		asked := s.trigger(&forge.DeployOpts{Branch: "asked-for"})
		s.update(forge.SiteUpdate{Branch: new("main")})
		require.Equal(t, asked.ID, pending().ID, "not of the site's branch")
		s.outcome <- nil
		s.outcome <- nil
		synctest.Wait()
		require.Equal(t, forge.DeploymentFinished, s.status(asked))
	})
}

func mustServer(s *stage) *forge.Server {
	srv, err := s.Servers.Get(s.t.Context(), s.site.Server)
	require.NoError(s.t, err)
	return srv
}

func TestUpdateThatTheServerNeedNotKnow(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		s.stubUpdates("")
		for _, u := range []forge.SiteUpdate{
			{},
			{Branch: new("next"), DeployScript: new("make\r\n"), DeployTimeout: new(time.Minute), RepositoryUser: new("ada")},
			{Branch: new("next"), Domain: new("EXAMPLE.com."), WebDirectory: new("public/")}, // the same
			{Branch: new(""), DeployScript: new("")},
		} {
			site, action := s.update(u)
			require.Equal(t, forge.ActionFinished, action.Status)
			require.Equal(t, action, s.get(action.ID))
			require.Equal(t, s.readSite(), site)
		}
		require.Equal(t, "main", s.readSite().Branch)
		require.Equal(t, time.Minute, s.readSite().DeployTimeout)
	})
}

func TestUpdateThatFailsIsTakenBack(t *testing.T) {
	refused := &sshexec.ExitError{ExitCode: 84, Stderr: "nginx refuses"}
	for name, test := range map[string]struct {
		stage string
		end   error // nil to cancel
		again bool  // the server may have changed
	}{
		"refused by nginx":    {"server", refused, false},
		"unknown":             {"server", errors.New("gone"), true},
		"cancelled":           {"server", nil, true},
		"not begun":           {"", nil, false},
		"clone fails":         {"clone", refused, true},
		"nothing was reached": {"", errors.New("gone"), false},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, func(t *testing.T, s *stage) {
				s.stubUpdates(test.stage)
				was := s.readSite()
				_, action := s.update(forge.SiteUpdate{Domain: new("new.example.com"), Aliases: &[]string{"a.example.com"}, Branch: new("next")})
				if test.end == nil {
					require.NoError(t, s.Actions.Cancel(t.Context(), action.ID))
				} else {
					s.outcome <- test.end
				}
				synctest.Wait()
				require.True(t, s.get(action.ID).Status.Ended())
				is := s.readSite()
				is.Updated = was.Updated
				require.Equal(t, was, is)
				require.Len(t, s.updates(), map[bool]int{false: 1, true: 2}[test.again])
				if !test.again {
					return
				}
				back := s.updates()[1]
				require.Nil(t, back.Input.Restore)
				require.Equal(t, forge.ActionRunning, back.Status)
				s.outcome <- errors.New("no luck")
				synctest.Wait()
				require.Len(t, s.updates(), 2)
				require.Contains(t, s.readSite().Failure, "no luck")

				// An update that changes nothing goes to the server now.
				_, repair := s.update(forge.SiteUpdate{})
				require.Equal(t, forge.ActionRunning, s.get(repair.ID).Status)
				s.outcome <- nil
				synctest.Wait()
				require.Equal(t, forge.ActionFinished, s.get(repair.ID).Status)
			})
		})
	}
}

func TestNameThatWasTakenMeanwhile(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		s.stubUpdates("server")
		_, action := s.update(forge.SiteUpdate{Domain: new("new.example.com"), WebDirectory: new("/web")})
		s.addSite(mustServer(s), "other.example.com", func(o *forge.Site) { o.Aliases = []string{"example.com"} })
		s.outcome <- &sshexec.ExitError{ExitCode: 84}
		synctest.Wait()
		require.Equal(t, forge.ActionFailed, s.get(action.ID).Status)
		site := s.readSite()
		require.Equal(t, "new.example.com /public", site.Domain+" "+site.WebDirectory)
		require.Contains(t, site.Failure, "example.com")
		require.Equal(t, forge.SiteInstalled, site.Status)
		require.Len(t, s.updates(), 2, "the server has to have the new name")
	})
}

func TestUpdateOfASiteThatIsNotSetUp(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	site, action, err := f.Sites.Update(t.Context(), f.failed.ID, forge.SiteUpdate{Repository: new("")})
	require.NoError(t, err)
	require.Equal(t, forge.KindSetupSite, action.Kind)
	require.Empty(t, site.Repository)
	for _, status := range []forge.SiteStatus{forge.SiteDeleting} {
		other := f.addSite(f.server, "x.example.com", func(s *forge.Site) { s.Status = status })
		_, _, err := f.Sites.Update(t.Context(), other.ID, forge.SiteUpdate{})
		require.ErrorIs(t, err, forge.ErrState)
	}
	elsewhere := f.addSite(f.pending, "elsewhere.example.com")
	_, _, err = f.Sites.Update(t.Context(), elsewhere.ID, forge.SiteUpdate{})
	require.ErrorIs(t, err, forge.ErrState)
}

// A deletion that nobody began leaves why the site is as it is.
func TestCancelOfADeletionKeepsTheFailure(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	was := f.addSite(f.server, "why.example.com", func(s *forge.Site) { s.Status, s.Failure = forge.SiteFailed, "no disk" })
	action, err := f.Sites.Delete(t.Context(), was.ID)
	require.NoError(t, err)
	require.NoError(t, f.Actions.Cancel(t.Context(), action.ID))
	is, err := f.Sites.Get(t.Context(), was.ID)
	require.NoError(t, err)
	is.Updated = was.Updated
	require.Equal(t, was, is)
}

// A token goes to the host that it is for, and to no other.
func TestTokenOfAnotherHost(t *testing.T) {
	for to, kept := range map[string]bool{
		"https://example.com/other.git": true, "https://example.com:444/app.git": false, "https://evil.example.com/app.git": false,
		"git@example.com:app.git": false, "": false,
	} {
		t.Run(to, func(t *testing.T) {
			onStage(t, func(t *testing.T, s *stage) {
				s.stubUpdates("")
				require.NoError(t, s.Sites.SetToken(t.Context(), s.site.ID, secret.New("t0ken")))
				token := s.readSite().RepositoryToken
				site, action := s.update(forge.SiteUpdate{Repository: new(to)})
				require.Equal(t, kept, len(site.RepositoryToken) > 0)
				require.NoError(t, s.Actions.Cancel(t.Context(), action.ID))
				synctest.Wait()
				require.Equal(t, "https://example.com/app.git", s.readSite().Repository)
				require.Equal(t, token, s.readSite().RepositoryToken)
			})
		})
	}
}

func TestUpdateOfTheKind(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	change := func(to forge.SiteKind, u forge.SiteUpdate) *forge.Site {
		t.Helper()
		u.Kind = &to
		site, action, err := f.Sites.Update(t.Context(), f.site.ID, u)
		require.NoError(t, err)
		f.put(func(tx forge.Tx) error { return tx.Actions().Delete(action.ID) })
		return site
	}
	site := change(forge.StaticSite, forge.SiteUpdate{})
	require.Equal(t, "/public", site.WebDirectory, "what is served does not grow")
	require.Empty(t, site.PHPVersion)
	site = change(forge.ProxySite, forge.SiteUpdate{Upstream: new("[::1]:03000")})
	require.Equal(t, "[::1]:3000", site.Upstream)
	require.Empty(t, site.WebDirectory)
	site = change(forge.PHPSite, forge.SiteUpdate{})
	require.Equal(t, "8.2 /public", site.PHPVersion+" "+site.WebDirectory)
	require.Empty(t, site.Upstream)
}

func TestVersionOfAnOpenUpdateIsNotRemoved(t *testing.T) {
	t.Parallel()
	w := idle(t)
	srv := w.addServer("acme", func(s *forge.Server) { s.Stack.PHP = []string{"8.2", "8.3"} })
	site := w.addSite(srv, "example.com")
	_, action, err := w.Sites.Update(t.Context(), site.ID, forge.SiteUpdate{PHPVersion: new("8.3")})
	require.NoError(t, err)
	_, err = w.Servers.RemovePHP(t.Context(), srv.ID, "8.2")
	require.ErrorIs(t, err, forge.ErrState)
	require.NoError(t, w.Actions.Cancel(t.Context(), action.ID))
	_, err = w.Servers.RemovePHP(t.Context(), srv.ID, "8.3")
	require.NotErrorIs(t, err, forge.ErrState)
}

func TestSharedUserAndDirectories(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	create := func(domain string) (*forge.Site, error) {
		site, _, err := f.Sites.Create(t.Context(), f.server.ID, forge.SiteOpts{Domain: domain, User: "forge"})
		return site, err
	}
	site, err := create("one.example.com")
	require.NoError(t, err)
	require.Equal(t, "forge one.example.com", site.User+" "+site.Directory)
	_, err = create("two.example.com")
	require.NoError(t, err)
	f.put(func(tx forge.Tx) error {
		site.Domain = "renamed.example.com"
		return tx.Sites().Update(site)
	})
	before := f.contents()
	_, err = create("one.example.com")
	var typed *forge.Error
	require.ErrorAs(t, err, &typed)
	require.ErrorIs(t, err, forge.ErrConflict)
	require.Equal(t, "domain", typed.Field)
	require.Contains(t, typed.Rule, "renamed.example.com")
	require.Equal(t, before, f.contents())
	_, _, err = f.Sites.Create(t.Context(), f.server.ID, forge.SiteOpts{Domain: "one.example.com"})
	require.NoError(t, err, "a user of its own has a directory of its own")
}

func TestBadUpdateLeavesEverything(t *testing.T) {
	t.Parallel()
	bad := func(field string, u forge.SiteUpdate) refusal {
		return refusal{forge.ErrInvalid, field, func(ctx context.Context, f *furnished) error {
			_, _, err := f.Sites.Update(ctx, f.site.ID, u)
			return err
		}}
	}
	taken := func(u forge.SiteUpdate) refusal {
		r := bad("domain", u)
		r.class = forge.ErrConflict
		return r
	}
	proxy := func(upstream string) refusal {
		return bad("upstream", forge.SiteUpdate{Kind: new(forge.ProxySite), Upstream: &upstream})
	}
	cases := map[string]refusal{
		"no domain":             bad("domain", forge.SiteUpdate{Domain: new("")}),
		"domain":                bad("domain", forge.SiteUpdate{Domain: new("a b.com")}),
		"alias":                 bad("aliases[0]", forge.SiteUpdate{Aliases: &[]string{"a;b.com"}}),
		"alias is the domain":   bad("aliases[0]", forge.SiteUpdate{Aliases: &[]string{"Example.com"}}),
		"domain is an alias":    bad("aliases[0]", forge.SiteUpdate{Domain: new("www.example.com")}),
		"web directory":         bad("web_directory", forge.SiteUpdate{WebDirectory: new("/../x")}),
		"web directory of git":  bad("web_directory", forge.SiteUpdate{WebDirectory: new("/.git")}),
		"PHP version":           bad("php_version", forge.SiteUpdate{PHPVersion: new("8.2;id")}),
		"PHP the server lacks":  bad("php_version", forge.SiteUpdate{PHPVersion: new("8.4")}),
		"PHP of static":         bad("php_version", forge.SiteUpdate{Kind: new(forge.StaticSite), PHPVersion: new("8.2")}),
		"kind":                  bad("kind", forge.SiteUpdate{Kind: new(forge.SiteKind("perl"))}),
		"proxy without":         bad("upstream", forge.SiteUpdate{Kind: new(forge.ProxySite)}),
		"upstream of PHP":       bad("upstream", forge.SiteUpdate{Upstream: new("127.0.0.1:3000")}),
		"web of proxy":          bad("web_directory", forge.SiteUpdate{Kind: new(forge.ProxySite), Upstream: new("127.0.0.1:3000"), WebDirectory: new("/")}),
		"repository":            bad("repository", forge.SiteUpdate{Repository: new("file:///etc")}),
		"repository with token": bad("repository", forge.SiteUpdate{Repository: new("https://t0ken@example.com/a.git")}),
		"repository user":       bad("repository_user", forge.SiteUpdate{RepositoryUser: new("a:b\n")}),
		"branch":                bad("branch", forge.SiteUpdate{Branch: new("-f")}),
		"known hosts":           bad("known_hosts", forge.SiteUpdate{KnownHosts: new("nonsense")}),
		"script":                bad("deploy_script", forge.SiteUpdate{DeployScript: new("true\x00")}),
		"timeout":               bad("deploy_timeout", forge.SiteUpdate{DeployTimeout: new(-time.Second)}),
		"domain of another":     taken(forge.SiteUpdate{Domain: new("bare.example.com"), Branch: new("next")}),
		"alias of another":      taken(forge.SiteUpdate{Aliases: &[]string{"bare.example.com"}}),
		"new site's user":       badSite("user", func(o *forge.SiteOpts) { o.User = "root" }),
		"new site's www-data":   badSite("user", func(o *forge.SiteOpts) { o.User = "www-data" }),
		"new site's upstream":   badSite("upstream", func(o *forge.SiteOpts) { o.Upstream = "127.0.0.1:3000" }),
		"new proxy":             badSite("upstream", func(o *forge.SiteOpts) { o.Kind = forge.ProxySite }),
		"new proxy's web":       badSite("web_directory", func(o *forge.SiteOpts) { o.Kind, o.Upstream, o.WebDirectory = forge.ProxySite, "127.0.0.1:1", "/x" }),
	}
	for _, upstream := range []string{"3000", "localhost:3000", "10.0.0.1:3000", "169.254.169.254:80", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
		"127.0.0.1:80", "[::1]:443", "[::]:3000", "0.0.0.0:3000", "[::1%lo]:3000", "127.0.0.1:3000/x", "127.0.0.1:3000;", "http://127.0.0.1:3000",
		"unix:", "unix:x", "unix:/", "unix:/a/../b", "unix:/a//b", "unix:/a:/b", "unix:/a b", "unix:/a;b", "unix:/$host", "unix:/a\n", "unix:/run/php/a.sock", "unix:/home/another/a.sock",
		"unix:/" + strings.Repeat("a", 108)} {
		cases["upstream "+upstream] = proxy(upstream)
	}
	for name, r := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := furnish(t)
			before := f.contents()
			err := r.call(t.Context(), f)
			var typed *forge.Error
			require.ErrorAs(t, err, &typed)
			require.ErrorIs(t, err, r.class)
			require.Equal(t, r.field, typed.Field, "%v", err)
			require.NotEmpty(t, typed.Rule)
			require.NotContains(t, err.Error(), "t0ken")
			require.Equal(t, before, f.contents())
		})
	}
}

// Whatever an update holds: a typed error and nothing written, or settings that
// the same rules let through again, unchanged; and a cancel takes them back.
func TestAnyUpdateIsRefusedOrStable(t *testing.T) {
	t.Parallel()
	f := furnish(t)
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "example.com", "Bücher.example", "bare.example.com", "main", "8.2",
		"/public", "127.0.0.1:3000", "unix:/run/a.sock", "git@example.com:a.git", "https://example.com/a.git", "true"}))
	rapid.Check(t, func(rt *rapid.T) {
		before := f.contents()
		some := func(name string) *string {
			if rapid.IntRange(0, 2).Draw(rt, "has "+name) > 0 {
				return nil
			}
			value := text.Draw(rt, name)
			return &value
		}
		u := forge.SiteUpdate{Domain: some("domain"), WebDirectory: some("web"), PHPVersion: some("php"), Upstream: some("upstream"),
			Repository: some("repository"), Branch: some("branch"), DeployScript: some("script"), KnownHosts: some("hosts")}
		if alias := some("alias"); alias != nil {
			u.Aliases = &[]string{*alias}
		}
		if kind := rapid.SampledFrom([]forge.SiteKind{"?", "", forge.PHPSite, forge.StaticSite, forge.ProxySite}).Draw(rt, "kind"); kind != "?" {
			u.Kind = &kind
		}
		site, action, err := f.Sites.Update(t.Context(), f.site.ID, u)
		if err != nil {
			var typed *forge.Error
			require.ErrorAs(rt, err, &typed)
			require.Contains(rt, []error{forge.ErrInvalid, forge.ErrConflict}, typed.Class)
			require.NotEmpty(rt, typed.Field)
			require.NotEmpty(rt, typed.Rule)
			require.Equal(rt, before, f.contents())
			return
		}
		if action.Status == forge.ActionFinished { // the server need not know: nothing to take back
			_, _, err := f.Sites.Update(t.Context(), f.site.ID, forge.SiteUpdate{Branch: &f.site.Branch, DeployScript: new("")})
			require.NoError(rt, err)
			return
		}
		require.NoError(rt, f.Actions.Cancel(t.Context(), action.ID))
		same, action, err := f.Sites.Update(t.Context(), f.site.ID, forge.SiteUpdate{Kind: &site.Kind, Domain: &site.Domain, Aliases: &site.Aliases,
			WebDirectory: &site.WebDirectory, PHPVersion: &site.PHPVersion, Upstream: &site.Upstream, Repository: &site.Repository,
			Branch: &site.Branch, DeployScript: &site.DeployScript, KnownHosts: &site.KnownHosts})
		require.NoError(rt, err)
		same.Updated = site.Updated
		require.Equal(rt, site, same)
		require.NoError(rt, f.Actions.Cancel(t.Context(), action.ID))
		back, err := f.Sites.Get(t.Context(), f.site.ID)
		require.NoError(rt, err)
		back.Updated = f.site.Updated
		require.Equal(rt, f.site, back)
	})
}

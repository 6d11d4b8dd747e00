package forge_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/store/memory"
)

// furnished is a world with something in each state that a refusal needs.
type furnished struct {
	*world
	server, pending    *forge.Server
	site, bare, failed *forge.Site
	elsewhere          *forge.Site // on a server of its own
	key                *forge.Key
	done               *forge.Action
}

func furnish(t *testing.T) *furnished { return furnishOn(t, memory.New(memory.Config{})) }

func furnishOn(t *testing.T, store forge.Store) *furnished {
	w := newWorld(t, store, queuememory.New(queuememory.Config{}), providertest.FakeConfig{})
	f := &furnished{world: w, server: w.addServer("acme"), key: w.addKey("acme")}
	f.pending = w.addServer("acme", func(s *forge.Server) { s.Status = forge.ServerPending })
	f.site = w.addSite(f.server, "example.com", func(s *forge.Site) { s.Aliases = []string{"www.example.com"} })
	f.bare = w.addSite(f.server, "bare.example.com", func(s *forge.Site) { s.Repository = "" })
	f.failed = w.addSite(f.server, "failed.example.com", func(s *forge.Site) { s.Status = forge.SiteFailed })
	f.elsewhere = w.addSite(w.addServer("acme"), "elsewhere.example.com")
	var err error
	f.done, err = w.For("acme").Servers.Exec(t.Context(), f.server.ID, forge.ExecOpts{Command: "true", User: "root"})
	require.NoError(t, err)
	require.NoError(t, w.Actions.Cancel(t.Context(), f.done.ID))
	_, err = w.For("acme").Keys.Sync(t.Context(), f.key.ID, forge.Selector{Servers: []string{f.server.ID}})
	require.NoError(t, err)
	return f
}

// refusal is a call and the error that it must give.
type refusal struct {
	class error
	field string // empty where no value is at fault
	call  func(context.Context, *furnished) error
}

func TestBadInputIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	all := make(map[string]refusal)
	for _, some := range []map[string]refusal{
		badServers(), badSites(), badRepositories(), badKeys(), badCommands(), badStates(), unknownIDs(), badTokens(),
	} {
		for name, r := range some {
			require.NotContains(t, all, name)
			all[name] = r
		}
	}
	for name, r := range all {
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
			require.Equal(t, before, f.contents())
		})
	}
}

func badServers() map[string]refusal {
	bad := func(field string, edit func(*forge.ServerOpts)) refusal {
		return refusal{forge.ErrInvalid, field, func(ctx context.Context, f *furnished) error {
			opts := forge.ServerOpts{Name: "web-1", Provider: "cloud"}
			edit(&opts)
			_, _, err := f.Servers.Create(ctx, opts)
			return err
		}}
	}
	stack := func(field string, edit func(*forge.Stack)) refusal {
		return bad(field, func(o *forge.ServerOpts) { edit(&o.Stack) })
	}
	cases := map[string]refusal{
		"no provider":        bad("provider", func(o *forge.ServerOpts) { o.Provider = "" }),
		"unknown provider":   bad("provider", func(o *forge.ServerOpts) { o.Provider = "nimbus" }),
		"bad region":         bad("region", func(o *forge.ServerOpts) { o.Region = "fra 1" }),
		"bad size":           bad("size", func(o *forge.ServerOpts) { o.Size = "-big" }),
		"bad image":          bad("image", func(o *forge.ServerOpts) { o.Image = "debian\n12" }),
		"unknown image":      bad("image", func(o *forge.ServerOpts) { o.Image = "plan9-4" }),
		"label key":          bad("labels", func(o *forge.ServerOpts) { o.Labels = map[string]string{"a b": "c"} }),
		"label value":        bad("labels", func(o *forge.ServerOpts) { o.Labels = map[string]string{"a": "b\nc"} }),
		"idempotency":        bad("idempotency_key", func(o *forge.ServerOpts) { o.IdempotencyKey = "a\x00" }),
		"address of a cloud": bad("address", func(o *forge.ServerOpts) { o.Address = "192.0.2.1" }),
		"negative port":      bad("port", func(o *forge.ServerOpts) { o.Port = -1 }),
		"large port":         bad("port", func(o *forge.ServerOpts) { o.Port = 65536 }),
		"login user":         bad("user", func(o *forge.ServerOpts) { o.User = "root; reboot" }),
		"login user option":  bad("user", func(o *forge.ServerOpts) { o.User = "-oProxyCommand=x" }),

		"PHP 8.3 of Debian 12": stack("php", func(s *forge.Stack) { s.PHP = []string{"8.3"} }),
		"PHP no version":       stack("php", func(s *forge.Stack) { s.PHP = []string{"8.2;id"} }),
		"PHP twice":            stack("php", func(s *forge.Stack) { s.PHP = []string{"8.2", "8.2"} }),
		"MySQL of Debian":      stack("database", func(s *forge.Stack) { s.Database = forge.MySQL }),
		"unknown database":     stack("database", func(s *forge.Stack) { s.Database = "oracle" }),
		"Composer alone":       stack("composer", func(s *forge.Stack) { s.Composer = true }),
		"unknown Node":         stack("node", func(s *forge.Stack) { s.Node = "7" }),
		"unknown source":       stack("source", func(s *forge.Stack) { s.Source = "tarballs" }),
		"negative swap":        stack("swap_mb", func(s *forge.Stack) { s.SwapMB = -1 }),
		"timezone":             stack("timezone", func(s *forge.Stack) { s.Timezone = "../../etc/shadow" }),
	}
	for _, name := range []string{"", "web_1", "web 1", "web\n1", "-web", "web-", ".web", "web..1", "192.0.2.1", "$(id)",
		strings.Repeat("a", 64), strings.Repeat("a.", 127) + "aaa"} {
		cases["server name "+name] = bad("name", func(o *forge.ServerOpts) { o.Name = name })
	}
	return cases
}

func badSite(field string, edit func(*forge.SiteOpts)) refusal {
	return refusal{forge.ErrInvalid, field, func(ctx context.Context, f *furnished) error {
		opts := forge.SiteOpts{Domain: "new.example.com"}
		edit(&opts)
		_, _, err := f.Sites.Create(ctx, f.server.ID, opts)
		return err
	}}
}

func badSites() map[string]refusal {
	exists := func(class error, field string, edit func(*forge.SiteOpts)) refusal {
		r := badSite(field, edit)
		r.class = class
		return r
	}
	cases := map[string]refusal{
		"kind":               badSite("kind", func(o *forge.SiteOpts) { o.Kind = "perl" }),
		"unknown PHP":        badSite("php_version", func(o *forge.SiteOpts) { o.PHPVersion = "7.4" }),
		"no PHP version":     badSite("php_version", func(o *forge.SiteOpts) { o.PHPVersion = "8.2 -x" }),
		"PHP of static":      badSite("php_version", func(o *forge.SiteOpts) { o.Kind, o.PHPVersion = forge.StaticSite, "8.2" }),
		"script with NUL":    badSite("deploy_script", func(o *forge.SiteOpts) { o.DeployScript = "true\x00" }),
		"negative timeout":   badSite("deploy_timeout", func(o *forge.SiteOpts) { o.DeployTimeout = -time.Second }),
		"known hosts":        badSite("known_hosts", func(o *forge.SiteOpts) { o.KnownHosts = "nonsense" }),
		"alias twice":        badSite("aliases[1]", func(o *forge.SiteOpts) { o.Aliases = []string{"a.example.com", "A.example.com"} }),
		"alias is domain":    badSite("aliases[0]", func(o *forge.SiteOpts) { o.Aliases = []string{"NEW.example.com."} }),
		"alias is address":   badSite("aliases[0]", func(o *forge.SiteOpts) { o.Aliases = []string{"::1"} }),
		"site's labels":      badSite("labels", func(o *forge.SiteOpts) { o.Labels = map[string]string{"": "x"} }),
		"site's idempotency": badSite("idempotency_key", func(o *forge.SiteOpts) { o.IdempotencyKey = "a b\n" }),

		"domain taken": exists(forge.ErrConflict, "domain", func(o *forge.SiteOpts) { o.Domain = "EXAMPLE.com" }),
		"domain taken by an alias": exists(forge.ErrConflict, "domain",
			func(o *forge.SiteOpts) { o.Domain = "www.example.com" }),
		"alias taken by a domain": exists(forge.ErrConflict, "domain",
			func(o *forge.SiteOpts) { o.Aliases = []string{"example.com"} }),
		"alias taken by an alias": exists(forge.ErrConflict, "domain",
			func(o *forge.SiteOpts) { o.Aliases = []string{"www.example.com"} }),
	}
	for _, domain := range []string{"", "192.0.2.1", "::1", "[::1]", "com", "co.uk", "github.io", "localhost", "a..com", ".a.com",
		"-a.com", "a-.com", "a_b.com", "a b.com", "a.com\n", "a.com;", "*.a.com", strings.Repeat("a", 64) + ".com", "xn--a.com",
		"a.com/b", "a.com:80", "1.2.3"} {
		cases["domain "+domain] = badSite("domain", func(o *forge.SiteOpts) { o.Domain = domain })
	}
	for _, dir := range []string{"/../x", "/public/../..", "/a b", "/a;b", "/$(id)", "/a\nb", "/a{b", "/a\"b", "/`id`", "/a\x00"} {
		cases["web directory "+dir] = badSite("web_directory", func(o *forge.SiteOpts) { o.WebDirectory = dir })
	}
	return cases
}

func badRepositories() map[string]refusal {
	cases := make(map[string]refusal)
	for _, repo := range []string{"http://h.org/a.git", "git://h.org/a.git", "file:///etc", "ext::sh -c id", "/srv/a.git", "../a",
		"git@-oProxyCommand=id:a", "ssh://-oProxyCommand=id/a", "https://user:pass@h.org/a.git", "https://token@h.org/a",
		"ssh://git:pass@h.org/a", "https://h.org/a b", "https://h.org/a\nb", "git@h.org:-a", "https://h.org", "--upload-pack=id"} {
		cases["repository "+repo] = badSite("repository", func(o *forge.SiteOpts) { o.Repository = repo })
	}
	refs := []string{"-f", "--force", "a..b", "a b", "a\nb", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "/a", "a/", "a//b", "a.lock",
		".a", "a/.b", "a.", "@", "a@{0}", "a\x7f", "$(id)", "a;b"}
	for _, ref := range refs {
		cases["site's branch "+ref] = badSite("branch", func(o *forge.SiteOpts) { o.Branch = ref })
		cases["branch "+ref] = badDeploy("branch", forge.DeployOpts{Branch: ref})
	}
	for _, commit := range []string{"HEAD", "abc", "-f", strings.Repeat("g", 40), strings.Repeat("a", 41)} {
		cases["commit "+commit] = badDeploy("commit", forge.DeployOpts{Commit: commit})
	}
	return cases
}

func badDeploy(field string, opts forge.DeployOpts) refusal {
	return refusal{forge.ErrInvalid, field, func(ctx context.Context, f *furnished) error {
		_, err := f.Deployments.Trigger(ctx, f.site.ID, &opts)
		return err
	}}
}

func badKeys() map[string]refusal {
	add := func(class error, field string, opts forge.KeyOpts) refusal {
		return refusal{class, field, func(ctx context.Context, f *furnished) error {
			_, err := f.For("acme").Keys.Add(ctx, opts)
			return err
		}}
	}
	sync := func(field string, opts forge.Selector) refusal {
		return refusal{forge.ErrInvalid, field, func(ctx context.Context, f *furnished) error {
			if len(opts.Servers) == 1 {
				opts.Servers = []string{f.server.ID}
			}
			_, err := f.Keys.Sync(ctx, f.key.ID, opts)
			return err
		}}
	}
	cases := map[string]refusal{
		"key there already":      add(forge.ErrConflict, "public", forge.KeyOpts{Name: "again", Public: keyLine + " another comment"}),
		"key without a name":     add(forge.ErrInvalid, "name", forge.KeyOpts{Public: otherLine}),
		"key's name":             add(forge.ErrInvalid, "name", forge.KeyOpts{Name: "a\nb", Public: otherLine}),
		"key's labels":           add(forge.ErrInvalid, "labels", forge.KeyOpts{Name: "a", Public: otherLine, Labels: map[string]string{"-": ""}}),
		"sync to none":           sync("servers", forge.Selector{}),
		"sync to ids and all":    sync("servers", forge.Selector{Servers: []string{""}, All: true}),
		"sync to all and labels": sync("servers", forge.Selector{Labels: map[string]string{"a": "b"}, All: true}),
		"sync to a bad label":    sync("labels", forge.Selector{Labels: map[string]string{"-": ""}}),
		"sync to a bad user":     sync("user", forge.Selector{Servers: []string{""}, User: "../root"}),
		"sync to a user line":    sync("user", forge.Selector{Servers: []string{""}, User: "forge\nroot"}),
	}
	for name, public := range map[string]string{
		"none":        "",
		"private":     "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
		"options":     `command="id" ` + keyLine,
		"second line": keyLine + "\n" + otherLine,
		"DSA":         "ssh-dss AAAAB3NzaC1kc3MAAACB",
		"certificate": "ssh-ed25519-cert-v01@openssh.com AAAA",
		"oversized":   "ssh-rsa " + strings.Repeat("A", 20<<10),
		"cut off":     keyLine[:50],
		"other type":  strings.Replace(keyLine, "ssh-ed25519", "ssh-rsa", 1),
	} {
		cases["key "+name] = add(forge.ErrInvalid, "public", forge.KeyOpts{Name: "a", Public: public})
	}
	return cases
}

func badCommands() map[string]refusal {
	exec := func(field string, opts forge.ExecOpts) refusal {
		return refusal{forge.ErrInvalid, field, func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.Exec(ctx, f.server.ID, opts)
			return err
		}}
	}
	run := func(field string, opts forge.RunOpts) refusal {
		return refusal{forge.ErrInvalid, field, func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.Run(ctx, f.server.ID, opts)
			return err
		}}
	}
	upload := func(user string) refusal {
		return refusal{forge.ErrInvalid, "user", func(ctx context.Context, f *furnished) error {
			return f.Servers.Upload(ctx, f.server.ID, sshexec.UploadSpec{Path: "/a", User: "root"}, sshexec.UploadSpec{Path: "/b", User: user})
		}}
	}
	elsewhere := func(call func(context.Context, *furnished, string) error) refusal {
		return refusal{forge.ErrInvalid, "user", func(ctx context.Context, f *furnished) error {
			return call(ctx, f, f.elsewhere.User)
		}}
	}
	return map[string]refusal{
		"exec nothing":          exec("command", forge.ExecOpts{User: "root"}),
		"exec NUL":              exec("command", forge.ExecOpts{Command: "a\x00b", User: "root"}),
		"exec too long":         exec("command", forge.ExecOpts{Command: strings.Repeat("a", 1<<20), User: "root"}),
		"exec as nobody":        exec("user", forge.ExecOpts{Command: "id"}),
		"exec as a bad user":    exec("user", forge.ExecOpts{Command: "id", User: "-u root"}),
		"exec negative timeout": exec("timeout", forge.ExecOpts{Command: "id", User: "root", Timeout: -1}),
		"run nothing":           run("script", forge.RunOpts{User: "root"}),
		"run as nobody":         run("user", forge.RunOpts{Script: "id"}),
		"run as a bad user":     run("user", forge.RunOpts{Script: "id", User: "a b"}),
		"exec as a stranger":    exec("user", forge.ExecOpts{Command: "id", User: "nosuch"}),
		"exec as the web":       exec("user", forge.ExecOpts{Command: "id", User: "www-data"}),
		"run as a stranger":     run("user", forge.RunOpts{Script: "id", User: "nosuch"}),
		"exec as the user of another server's site": elsewhere(func(ctx context.Context, f *furnished, user string) error {
			_, err := f.Servers.Exec(ctx, f.server.ID, forge.ExecOpts{Command: "id", User: user})
			return err
		}),
		"run as the user of another server's site": elsewhere(func(ctx context.Context, f *furnished, user string) error {
			_, err := f.Servers.Run(ctx, f.server.ID, forge.RunOpts{Script: "id", User: user})
			return err
		}),
		"upload as nobody":     upload(""),
		"upload as a bad user": upload("a b"),
		"upload as a stranger": upload("nosuch"),
		"upload as the user of another server's site": elsewhere(func(ctx context.Context, f *furnished, user string) error {
			return f.Servers.Upload(ctx, f.server.ID, sshexec.UploadSpec{Path: "/a", User: user})
		}),
		"run an argument": run("args", forge.RunOpts{Script: "id", User: "root", Args: []string{"a\x00b"}}),
		"log up to a negative line": {forge.ErrInvalid, "to", func(ctx context.Context, f *furnished) error {
			for _, err := range f.Actions.Log(ctx, f.done.ID, 0, -1) {
				return err
			}
			return nil
		}},
		"restart the unknown": {forge.ErrInvalid, "service", func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.RestartService(ctx, f.server.ID, "ssh; reboot")
			return err
		}},
		"validate the unknown": {forge.ErrInvalid, "provider", func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.ValidateProvider(ctx, "nimbus")
			return err
		}},
	}
}

func badStates() map[string]refusal {
	state := func(call func(context.Context, *furnished) error) refusal { return refusal{forge.ErrState, "", call} }
	return map[string]refusal{
		"site on a pending server": state(func(ctx context.Context, f *furnished) error {
			_, _, err := f.Sites.Create(ctx, f.pending.ID, forge.SiteOpts{Domain: "new.example.com"})
			return err
		}),
		"exec on a pending server": state(func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.Exec(ctx, f.pending.ID, forge.ExecOpts{Command: "id", User: "root"})
			return err
		}),
		"run on a pending server": state(func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.Run(ctx, f.pending.ID, forge.RunOpts{Script: "id", User: "root"})
			return err
		}),
		"upload to a pending server": state(func(ctx context.Context, f *furnished) error {
			return f.Servers.Upload(ctx, f.pending.ID, sshexec.UploadSpec{Path: "/a", User: "root"})
		}),
		"restart on a pending server": state(func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.RestartService(ctx, f.pending.ID, "nginx")
			return err
		}),
		"sync to a server that goes, after a good one": state(func(ctx context.Context, f *furnished) error {
			f.put(func(tx forge.Tx) error {
				srv, err := tx.Servers().Get(f.pending.ID)
				srv.Status = forge.ServerDeleting
				return errors.Join(err, tx.Servers().Update(srv))
			})
			before := f.contents()
			_, err := f.Keys.Sync(ctx, f.key.ID, forge.Selector{Servers: []string{f.server.ID, f.pending.ID}})
			require.Equal(f.t, before, f.contents())
			f.put(func(tx forge.Tx) error { return tx.Servers().Update(f.pending) })
			return err
		}),
		"retry of what is active": state(func(ctx context.Context, f *furnished) error {
			_, err := f.Servers.Retry(ctx, f.server.ID)
			return err
		}),
		"delete twice": state(func(ctx context.Context, f *furnished) error {
			f.put(func(tx forge.Tx) error {
				srv, err := tx.Servers().Get(f.pending.ID)
				srv.Status = forge.ServerDeleted
				return errors.Join(err, tx.Servers().Update(srv))
			})
			before := f.contents()
			_, err := f.Servers.Delete(ctx, f.pending.ID, nil)
			require.Equal(f.t, before, f.contents())
			f.put(func(tx forge.Tx) error { return tx.Servers().Update(f.pending) })
			return err
		}),
		"deploy of nothing": state(func(ctx context.Context, f *furnished) error {
			_, err := f.Deployments.Trigger(ctx, f.bare.ID, nil)
			return err
		}),
		"deploy of a failed site": state(func(ctx context.Context, f *furnished) error {
			_, err := f.Deployments.Trigger(ctx, f.failed.ID, nil)
			return err
		}),
		"connect of an installed site": state(func(ctx context.Context, f *furnished) error {
			_, err := f.Sites.Connect(ctx, f.site.ID)
			return err
		}),
		"cancel of what has ended": state(func(ctx context.Context, f *furnished) error {
			return f.Actions.Cancel(ctx, f.done.ID)
		}),
	}
}

func unknownIDs() map[string]refusal {
	cases := make(map[string]refusal)
	for name, m := range methods() {
		if m.id != nil {
			cases["unknown id for "+name] = refusal{forge.ErrNotFound, m.what, func(ctx context.Context, f *furnished) error {
				return m.id(ctx, f.Forge, f, "no-such-id")
			}}
		}
	}
	cases["unknown server to sync to"] = refusal{forge.ErrNotFound, "server", func(ctx context.Context, f *furnished) error {
		_, err := f.Keys.Sync(ctx, f.key.ID, forge.Selector{Servers: []string{f.server.ID, "no-such-id"}})
		return err
	}}
	cases["revoke of what was never synced"] = refusal{forge.ErrNotFound, "grant", func(ctx context.Context, f *furnished) error {
		_, err := f.Keys.Revoke(ctx, f.key.ID, forge.Selector{Servers: []string{f.server.ID}, User: "deploy"}, nil)
		return err
	}}
	return cases
}

func TestUsersOfForge(t *testing.T) {
	t.Parallel()
	w := idle(t)
	srv := w.addServer("acme", func(s *forge.Server) { s.User = "ada" })
	for _, user := range []string{"root", "forge", "ada", w.addSite(srv, "example.com").User} {
		a, err := w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{Command: "id", User: user})
		require.NoError(t, err, user)
		require.Equal(t, user, a.Input.User)
	}
}

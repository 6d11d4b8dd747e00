package forge_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/provider/static"
	queuememory "github.com/seed-797f2c2c/forge/queue/memory"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
	"github.com/seed-797f2c2c/forge/store/memory"
)

func TestBareServerHasNoStack(t *testing.T) {
	t.Parallel()
	require.NoError(t, forge.ServerOpts{Name: "a", Provider: "own", Bare: true, Image: "alpine-3"}.Validate())
	err := forge.ServerOpts{Name: "a", Provider: "own", Bare: true, Stack: forge.Stack{Redis: true}}.Validate()
	var invalid *forge.Error
	require.ErrorAs(t, err, &invalid)
	require.ErrorIs(t, err, forge.ErrInvalid)
	require.Equal(t, "stack", invalid.Field)

	w := idle(t)
	srv := w.addServer("", func(s *forge.Server) { s.Bare, s.Stack = true, forge.Stack{} })
	require.Empty(t, srv.Services())
	for name, call := range map[string]func(context.Context) error{
		"site": func(ctx context.Context) error {
			_, _, err := w.Sites.Create(ctx, srv.ID, forge.SiteOpts{Domain: "example.com", Kind: forge.StaticSite})
			return err
		},
		"PHP":     func(ctx context.Context) error { _, err := w.Servers.AddPHP(ctx, srv.ID, "8.2"); return err },
		"no PHP":  func(ctx context.Context) error { _, err := w.Servers.RemovePHP(ctx, srv.ID, "8.2"); return err },
		"service": func(ctx context.Context) error { _, err := w.Servers.RestartService(ctx, srv.ID, "nginx"); return err },
		"secrets": func(ctx context.Context) error { _, err := w.Servers.Credentials(ctx, srv.ID); return err },
	} {
		err := call(t.Context())
		require.ErrorIs(t, err, forge.ErrState, name)
		require.ErrorContains(t, err, "the server is bare", name)
	}
	_, err = w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{Command: "true", User: "somebody"})
	require.NoError(t, err)
	_, err = w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{Command: "true", User: "some body"})
	require.ErrorIs(t, err, forge.ErrInvalid)
}

// ownHosts is a world whose machines are the hosts of a fleet, which exist before
// forge and have no systemd.
func ownHosts(t *testing.T, fleet *sshfleet.Fleet, first ...ssh.Signer) *world {
	w := newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{})
	w.machines = static.New(static.Config{Signers: first, HostKeys: func(_ context.Context, address string) ([]ssh.PublicKey, error) {
		for _, h := range fleet.Hosts {
			if h.Address.String() == address {
				return []ssh.PublicKey{h.HostKey}, nil
			}
		}
		return nil, errors.New("no such host")
	}})
	return w.join(w.store, queuememory.New(queuememory.Config{}))
}

// adopt makes a bare server of a host.
func (w *world) adopt(h *sshfleet.Host) *forge.Server {
	w.t.Helper()
	srv, a := w.create(func(o *forge.ServerOpts) { o.Name, o.Address, o.Bare = h.Name, h.Address.String(), true })
	_, err := w.Actions.Wait(w.t.Context(), a.ID)
	require.NoError(w.t, err)
	return w.read(srv.ID)
}

// deletes deletes a server and returns how that ended.
func (w *world) deletes(srv *forge.Server, opts *forge.DeleteOpts) (*forge.Action, error) {
	w.t.Helper()
	a, err := w.Servers.Delete(w.t.Context(), srv.ID, opts)
	require.NoError(w.t, err)
	return w.Actions.Wait(w.t.Context(), a.ID)
}

// On its host, a bare server is one line and one directory; deleted, it is neither.
func TestBareServer(t *testing.T) {
	t.Parallel()
	fleet := fleettest.Start(t, 1)
	h := fleet.Hosts[0]
	must := func(script string, args ...string) string {
		t.Helper()
		out, err := h.Run(t.Context(), script, args...)
		require.NoError(t, err)
		return out
	}
	// Everything that a host has for itself, but for what logins leave.
	const all = `cd /; find etc/ssh etc/passwd etc/group home root run var/lib -xdev \( -type f -o -type d \) ! -path 'run/sshd*' -printf '/%p %m %u\n' | sort
		sha256sum root/.ssh/authorized_keys home/*/.ssh/authorized_keys`
	theirs := authorizedLine(otherHostKey(t))
	must(`echo "# the team's"$'\n'"$1 admin" >>/home/deploy/.ssh/authorized_keys; echo "$1 admin" >>/root/.ssh/authorized_keys`, theirs)
	before, keys := must(all), must(`cat /root/.ssh/authorized_keys`)

	w := ownHosts(t, fleet, fleet.Signer)
	defer w.start()()
	srv := w.adopt(h)
	require.Equal(t, forge.ServerActive, srv.Status)
	require.Equal(t, keys+srv.PublicKey+" forge:control-"+srv.ID+"\n", must(`cat /root/.ssh/authorized_keys`))
	gone, come := difference(before, must(all))
	require.Len(t, gone, 1, "the file of root's keys")
	for _, line := range come {
		require.Regexp(t, `^/var/lib/forge[/ ]|  root/.ssh/authorized_keys$`, line)
	}

	result, err := w.Servers.Run(t.Context(), srv.ID, forge.RunOpts{Script: "id -un; pwd", User: "deploy"})
	require.NoError(t, err)
	require.Equal(t, "deploy\n/home/deploy\n", string(result.Stdout))
	exec, err := w.Servers.Exec(t.Context(), srv.ID, forge.ExecOpts{Command: "id -un", User: "deploy"})
	require.NoError(t, err)
	_, err = w.Actions.Wait(t.Context(), exec.ID)
	require.NoError(t, err)
	_, err = w.Servers.Run(t.Context(), srv.ID, forge.RunOpts{Script: "true", User: "nobody-here"})
	require.Error(t, err)

	// What was granted goes too; a key that somebody had put there stays.
	laptop, admin := w.addKey(""), w.addPublicKey("admin", theirs)
	for _, key := range []*forge.Key{laptop, admin} {
		a, err := w.Keys.Sync(t.Context(), key.ID, forge.Selector{Servers: []string{srv.ID}, User: "deploy"})
		require.NoError(t, err)
		_, err = w.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err)
	}
	require.Contains(t, must(`cat /home/deploy/.ssh/authorized_keys`), keyLine+" forge:"+laptop.ID+"\n")
	deleted, err := w.deletes(srv, nil)
	require.NoError(t, err)
	require.Equal(t, before, must(all))
	require.Equal(t, 1, deleted.Attempt)
	require.Equal(t, forge.ServerDeleted, w.read(srv.ID).Status)
}

// difference returns the lines that are only in one of two texts.
func difference(before, after string) (gone, come []string) {
	had := map[string]bool{}
	for line := range strings.Lines(before) {
		had[line] = true
	}
	for line := range strings.Lines(after) {
		if !had[line] {
			come = append(come, strings.TrimSuffix(line, "\n"))
		}
		delete(had, line)
	}
	for line := range had {
		gone = append(gone, line)
	}
	return gone, come
}

func (w *world) addPublicKey(name, line string) *forge.Key {
	w.t.Helper()
	key, err := w.Keys.Add(w.t.Context(), forge.KeyOpts{Name: name, Public: line})
	require.NoError(w.t, err)
	return key
}

// Where nobody would get in any more, a bare server is not given back, but by force.
func TestBareServerIsNotLockedUp(t *testing.T) {
	t.Parallel()
	fleet := fleettest.Start(t, 1)
	w := ownHosts(t, fleet, fleet.Signer)
	defer w.start()()
	srv := w.adopt(fleet.Hosts[0])
	key := w.addKey("")
	a, err := w.Keys.Sync(t.Context(), key.ID, forge.Selector{Servers: []string{srv.ID}, User: "root"})
	require.NoError(t, err)
	_, err = w.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	_, err = fleet.Hosts[0].Run(t.Context(), `sed -i '/forge:/!d' /root/.ssh/authorized_keys`)
	require.NoError(t, err)

	_, err = w.deletes(srv, nil)
	require.ErrorContains(t, err, "nobody would get in")
	left, err := fleet.Hosts[0].File("/root/.ssh/authorized_keys")
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(left), "forge:"))
	_, err = w.deletes(srv, &forge.DeleteOpts{Force: true})
	require.NoError(t, err)
	_, err = fleet.Hosts[0].Run(t.Context(), `[[ ! -s /root/.ssh/authorized_keys && ! -e /var/lib/forge ]]`)
	require.NoError(t, err)
}

// A machine whose sshd looks for keys elsewhere says so, and what was put there in
// vain is taken away again.
func TestBareServerWhoseKeysAreElsewhere(t *testing.T) {
	t.Parallel()
	fleet := fleettest.Start(t, 1)
	h := fleet.Hosts[0]
	_, err := h.Run(t.Context(), `install -d /etc/ssh/keys; cp /root/.ssh/authorized_keys /etc/ssh/keys/root
		echo 'AuthorizedKeysFile /etc/ssh/keys/%u' >/run/sshd_config.d/keys.conf`)
	require.NoError(t, err)
	require.NoError(t, h.Reload(t.Context()))
	w := ownHosts(t, fleet, fleet.Signer)
	defer w.start()()
	srv, a := w.create(func(o *forge.ServerOpts) { o.Address, o.Bare = h.Address.String(), true })
	_, err = w.Actions.Wait(t.Context(), a.ID)
	require.ErrorContains(t, err, "sshd does not look for it")
	require.Equal(t, forge.ServerError, w.read(srv.ID).Status)
	_, err = w.deletes(srv, nil)
	require.NoError(t, err)
	_, err = h.Run(t.Context(), `! grep forge: /root/.ssh/authorized_keys; [[ ! -e /var/lib/forge ]]`)
	require.NoError(t, err)
}

// playedBare is a bare server that an SSH server of the test plays.
type playedBare struct {
	*world
	ssh     *sshtest.Server
	refuses atomic.Bool // whether forge's key is not taken any more
	command func(e *sshtest.Exec) int
}

func newPlayedBare(t *testing.T) *playedBare {
	p := &playedBare{}
	hostKey := otherHostKey(t)
	p.ssh = sshtest.New(t, &sshtest.Options{HostKey: hostKey, AnyKey: true, Handler: func(_ context.Context, e *sshtest.Exec) int {
		if p.command != nil {
			return p.command(e)
		}
		return 0
	}})
	refusing := sshtest.New(t, &sshtest.Options{HostKey: hostKey})
	w := newWorld(t, memory.New(memory.Config{}), queuememory.New(queuememory.Config{}), providertest.FakeConfig{})
	w.machines = static.New(static.Config{
		Dial: func(ctx context.Context, _ string, _ int) (net.Conn, error) {
			addr := p.ssh.Addr
			if p.refuses.Load() {
				addr = refusing.Addr
			}
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		HostKeys: func(context.Context, string) ([]ssh.PublicKey, error) {
			return []ssh.PublicKey{hostKey.PublicKey()}, nil
		},
	})
	p.world = w.join(w.store, queuememory.New(queuememory.Config{}))
	return p
}

// Whatever command of the installation is cut off, it goes on.
func TestBareInstallIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for cut := range 3 {
		p := newPlayedBare(t)
		var commands atomic.Int32
		p.command = func(*sshtest.Exec) int {
			if int(commands.Add(1))-1 == cut {
				p.ssh.CloseConns()
			}
			return 0
		}
		stop := p.start()
		srv, a := p.create(func(o *forge.ServerOpts) { o.Address, o.Bare = "192.0.2.7", true })
		_, err := p.Actions.Wait(t.Context(), a.ID)
		require.NoError(t, err, cut)
		require.Equal(t, forge.ServerActive, p.read(srv.ID).Status)
		require.Greater(t, int(commands.Load()), 3, "one was repeated")
		stop()
	}
}

// The answer to the last command may be lost; after it, the machine does not take
// forge's key any more.
func TestDeleteOfABareServerWhoseLastAnswerIsLost(t *testing.T) {
	t.Parallel()
	p := newPlayedBare(t)
	defer p.start()()
	srv, a := p.create(func(o *forge.ServerOpts) { o.Address, o.Bare = "192.0.2.7", true })
	_, err := p.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	p.command = func(e *sshtest.Exec) int {
		if strings.Contains(e.Script, "/var/lib/forge /run/forge") {
			p.refuses.Store(true)
			p.ssh.CloseConns()
		}
		return 0
	}
	deleted, err := p.deletes(srv, nil)
	require.NoError(t, err)
	require.Equal(t, 1, deleted.Attempt)
	require.Equal(t, forge.ServerDeleted, p.read(srv.ID).Status)
	require.Contains(t, strings.Join(p.texts(a.ID), "\n")+strings.Join(p.texts(deleted.ID), "\n"), "does not take forge's key any more")
}

// One that nobody can ask is forgotten by force, which says what is left.
func TestForcedDeleteOfABareServer(t *testing.T) {
	t.Parallel()
	p := newPlayedBare(t)
	defer p.start()()
	srv, a := p.create(func(o *forge.ServerOpts) { o.Address, o.Bare = "192.0.2.7", true })
	_, err := p.Actions.Wait(t.Context(), a.ID)
	require.NoError(t, err)
	p.command = func(e *sshtest.Exec) int {
		if strings.Contains(e.Script, "/var/lib/forge /run/forge") {
			return 83
		}
		return 0
	}
	_, err = p.deletes(srv, nil)
	var ended *forge.ActionError
	require.ErrorAs(t, err, &ended)
	deleted, err := p.deletes(srv, &forge.DeleteOpts{Force: true})
	require.NoError(t, err)
	require.Contains(t, strings.Join(p.texts(deleted.ID), "\n"), `the lines marked "forge:"`)
}

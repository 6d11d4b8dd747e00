// Package access tests who may log in, over fleets of real SSH servers and through
// the public API.
package access

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/queue"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a platform with a fleet of servers, on which nothing is installed.
type world struct {
	*forge.Forge
	t       testing.TB
	fleet   *sshfleet.Fleet
	hosts   map[string]*sshfleet.Host // by the id of the server
	servers []*forge.Server           // in the order of the fleet's hosts
}

func newWorld(t testing.TB, hosts int, edit ...func(*forge.Config)) *world {
	w := &world{t: t, fleet: fleettest.Start(t, hosts), hosts: map[string]*sshfleet.Host{}}
	known := map[string]ssh.PublicKey{}
	for _, h := range w.fleet.Hosts {
		known[h.Address.String()] = h.HostKey
	}
	machines := static.New(static.Config{
		Signers: []ssh.Signer{w.fleet.Signer},
		HostKeys: func(_ context.Context, address string) ([]ssh.PublicKey, error) {
			return []ssh.PublicKey{known[address]}, nil
		},
	})
	config := forge.Config{
		Store: memory.New(memory.Config{}), Sealer: secret.NewEphemeral(), Logger: slog.New(slog.DiscardHandler),
		Providers: map[string]provider.Provider{"own": machines}, Pools: queue.Pools{"provision": 16},
	}
	for _, fn := range edit {
		fn(&config)
	}
	f, err := forge.New(config)
	require.NoError(t, err)
	w.Forge = f
	working, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(working) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, f.Close())
	})
	w.takeIn()
	return w
}

// takeIn makes every host of the fleet a server.
func (w *world) takeIn() {
	var made []string
	for i, h := range w.fleet.Hosts {
		labels := map[string]string{"fleet": "all"}
		if i%2 == 1 {
			labels["half"] = "odd"
		}
		srv, a, err := w.Servers.Create(w.t.Context(), forge.ServerOpts{
			Name: h.Name, Provider: "own", Bare: true, Address: h.Address.String(), Labels: labels,
		})
		require.NoError(w.t, err)
		w.hosts[srv.ID], made = h, append(made, a.ID)
		w.servers = append(w.servers, srv)
	}
	for _, id := range made {
		_, err := w.Actions.Wait(w.t.Context(), id)
		require.NoError(w.t, err)
	}
}

// done waits for the good end of an action.
func (w *world) done(a *forge.Action, err error) *forge.Action {
	w.t.Helper()
	require.NoError(w.t, err)
	a, err = w.Actions.Wait(w.t.Context(), a.ID)
	require.NoError(w.t, err)
	return a
}

// files are the authorized_keys of a user on every host, by the names of the hosts.
func (w *world) files(user string) map[string]string {
	files := map[string]string{}
	for _, h := range w.fleet.Hosts {
		files[h.Name] = w.file(h, user)
	}
	return files
}

func keyFile(user string) string {
	if user == "root" {
		return "/root/.ssh/authorized_keys"
	}
	return "/home/" + user + "/.ssh/authorized_keys"
}

func (w *world) file(h *sshfleet.Host, user string) string {
	content, err := h.File(keyFile(user))
	require.NoError(w.t, err)
	return string(content)
}

// bash runs a script on a host, past forge.
func (w *world) bash(h *sshfleet.Host, script string, args ...string) string {
	w.t.Helper()
	out, err := h.Run(w.t.Context(), script, args...)
	require.NoError(w.t, err)
	return out
}

// person has a key in forge, and an ssh client.
type person struct {
	w      *world
	key    *forge.Key
	secret string // file
}

func (w *world) person(name string) *person {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(w.t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(w.t, err)
	line, err := ssh.NewPublicKey(public)
	require.NoError(w.t, err)
	p := &person{w: w, secret: filepath.Join(w.t.TempDir(), name)}
	require.NoError(w.t, os.WriteFile(p.secret, pem.EncodeToMemory(block), 0o600))
	p.key, err = w.Keys.Add(w.t.Context(), forge.KeyOpts{Name: name, Public: string(ssh.MarshalAuthorizedKey(line))})
	require.NoError(w.t, err)
	return p
}

// line is the one that lets the person in.
func (p *person) line() string { return p.key.Public + " forge:" + p.key.ID + "\n" }

// login runs a command by ssh.
func (p *person) login(h *sshfleet.Host, user, command string) (string, error) {
	out, err := p.ssh(h, user, command).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (p *person) ssh(h *sshfleet.Host, user, command string) *exec.Cmd {
	return exec.CommandContext(p.w.t.Context(), "ssh", "-F", "none", "-i", p.secret, "-o", "IdentitiesOnly=yes",
		"-o", "IdentityAgent=none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
		"-o", "UserKnownHostsFile="+p.w.fleet.KnownHosts, user+"@"+h.Address.String(), command)
}

func (p *person) getsIn(h *sshfleet.Host, user string) {
	p.w.t.Helper()
	who, err := p.login(h, user, "id -un")
	require.NoError(p.w.t, err, who)
	require.Equal(p.w.t, user, who)
}

func (p *person) isRefused(h *sshfleet.Host, user string) {
	p.w.t.Helper()
	out, err := p.login(h, user, "true")
	require.Error(p.w.t, err)
	require.Contains(p.w.t, out, "Permission denied (publickey)")
}

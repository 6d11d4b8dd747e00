package rotation

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"github.com/seed-797f2c2c/forge"
	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/secret/tink"
)

// fleet is hosts with bare servers on them, by the id of the server.
type fleet struct {
	*sshfleet.Fleet
	t     *testing.T
	dir   string // of the records
	hosts map[string]*sshfleet.Host
}

func newFleet(t *testing.T, hosts int) *fleet {
	f := &fleet{fleettest.Start(t, hosts), t, t.TempDir(), map[string]*sshfleet.Host{}}
	keys, err := tink.New()
	require.NoError(t, err)
	require.NoError(t, keys.Save(filepath.Join(f.dir, "keyset")))
	return f
}

// open is a process of its own, as far as forge can tell.
func (f *fleet) open() *platform {
	f.t.Helper()
	known := map[string]ssh.PublicKey{}
	for _, h := range f.Hosts {
		known[h.Address.String()] = h.HostKey
	}
	p, err := open(f.t.Context(), f.dir, static.Config{
		Signers: []ssh.Signer{f.Signer},
		HostKeys: func(_ context.Context, address string) ([]ssh.PublicKey, error) {
			return []ssh.PublicKey{known[address]}, nil
		},
	}, math.MaxInt64)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { require.NoError(f.t, p.close()) })
	return p
}

// adopt makes a server of each host.
func (f *fleet) adopt(p *platform) {
	ctx, stop := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var actions []string
	for _, h := range f.Hosts {
		srv, a, err := p.Servers.Create(f.t.Context(), forge.ServerOpts{Name: h.Name, Provider: "own", Bare: true, Address: h.Address.String()})
		require.NoError(f.t, err)
		f.hosts[srv.ID], actions = h, append(actions, a.ID)
	}
	for _, id := range actions {
		_, err := p.Actions.Wait(f.t.Context(), id)
		require.NoError(f.t, err)
	}
	stop()
	require.NoError(f.t, <-ended)
}

// files are root's files of keys, by the id of the server.
func (f *fleet) files() map[string]string {
	f.t.Helper()
	files := map[string]string{}
	for id, h := range f.hosts {
		text, err := h.File("/root/.ssh/authorized_keys")
		require.NoError(f.t, err)
		files[id] = string(text)
	}
	return files
}

// servers reads all servers, and writes their control keys into files for ssh.
func (f *fleet) servers(p *platform) (servers map[string]*forge.Server, keys map[string]string) {
	f.t.Helper()
	servers, keys = map[string]*forge.Server{}, map[string]string{}
	dir := f.t.TempDir()
	for srv, err := range p.Servers.All(f.t.Context(), forge.ServerFilter{}) {
		require.NoError(f.t, err)
		key, err := p.keys.Open(f.t.Context(), srv.ControlKey, "servers/"+srv.ID+"/control_key")
		require.NoError(f.t, err)
		servers[srv.ID], keys[srv.ID] = srv, filepath.Join(dir, srv.ID)
		require.NoError(f.t, os.WriteFile(keys[srv.ID], []byte(key.Reveal()), 0o600))
	}
	return servers, keys
}

// ssh logs in to each server with its key, and returns what is said.
func (f *fleet) ssh(keys map[string]string) map[string]string {
	f.t.Helper()
	said := make(chan [2]string, len(keys))
	var logins errgroup.Group
	logins.SetLimit(8)
	for id, key := range keys {
		logins.Go(func() error {
			out, _ := exec.CommandContext(f.t.Context(), "ssh", "-F", "/dev/null", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
				"-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile="+f.KnownHosts, "root@"+f.hosts[id].Address.String(), "id -un").CombinedOutput()
			said <- [2]string{id, string(out)}
			return nil
		})
	}
	require.NoError(f.t, logins.Wait())
	all := map[string]string{}
	for range keys {
		login := <-said
		all[login[0]] = login[1]
	}
	return all
}

// getsIn has a process that has no connection yet log in everywhere.
func (f *fleet) getsIn() {
	f.t.Helper()
	p := f.open()
	var logins errgroup.Group
	logins.SetLimit(16)
	for id, h := range f.hosts {
		logins.Go(func() error {
			_, err := p.Servers.Run(f.t.Context(), id, forge.RunOpts{Script: "true", User: "root"})
			if err != nil {
				return fmt.Errorf("forge is locked out of %s: %w", h.Name, err)
			}
			return nil
		})
	}
	require.NoError(f.t, logins.Wait())
}

// others are the lines of a file that are not the control key's.
func others(text string) (lines string, control []string) {
	for line := range strings.Lines(text) {
		if strings.Contains(line, " forge:control-") {
			control = append(control, strings.TrimSuffix(line, "\n"))
		} else {
			lines += line
		}
	}
	return lines, control
}

// The process that rotates the control keys of 50 servers is killed in the middle,
// more than once.
func TestRotationWithTheProcessKilled(t *testing.T) {
	t.Parallel()
	const hosts = 50
	f := newFleet(t, hosts)
	p := f.open()
	f.adopt(p)
	for _, h := range f.Hosts {
		_, err := h.Run(t.Context(), `printf '# the team\r\n\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann' >>/root/.ssh/authorized_keys`)
		require.NoError(t, err)
	}
	before, oldKeys := f.servers(p)
	filesBefore := f.files()

	rotation, err := p.Keys.RotateControl(t.Context(), forge.Selector{All: true})
	require.NoError(t, err)
	require.Equal(t, hosts, rotation.Children)
	halfway := 0
	// To take up a part, to make the next key, to change over to it and to end is a
	// write each, so that neither life comes to the end.
	for _, writes := range []int{3 * hosts, 2 * hosts} {
		killedAt(t, f.dir, writes)
		f.getsIn()
		now, _ := f.servers(p)
		for _, srv := range now {
			if srv.NextPublicKey != "" || srv.OldPublicKey != "" {
				halfway++
			}
		}
	}
	require.Positive(t, halfway, "no server was caught in between")
	w := startWorker(t, f.dir)
	rotation, err = p.Actions.Wait(t.Context(), rotation.ID)
	require.NoError(t, err)
	require.Zero(t, rotation.ChildrenFailed)
	w.end(t)

	after, keys := f.servers(p)
	for id, said := range f.ssh(oldKeys) {
		require.Contains(t, said, "Permission denied (publickey)", "the old key of %s", id)
	}
	for id, said := range f.ssh(keys) {
		require.Equal(t, "root\n", said, id)
	}
	for id, text := range f.files() {
		lines, control := others(text)
		require.Equal(t, []string{after[id].PublicKey + " forge:control-" + id}, control)
		linesBefore, controlBefore := others(filesBefore[id])
		require.Equal(t, strings.TrimSuffix(linesBefore, "\n"), strings.TrimSuffix(lines, "\n"))
		require.Equal(t, []string{before[id].PublicKey + " forge:control-" + id}, controlBefore)
		require.NotEqual(t, before[id].PublicKey, after[id].PublicKey)
		require.Empty(t, after[id].NextPublicKey+after[id].OldPublicKey)
		require.Empty(t, after[id].NextControlKey)
	}
	f.getsIn()
	t.Logf("%d servers were caught in between", halfway)
}

// Package sshfleet starts many real OpenSSH servers on this machine, for tests
// and measurements. It needs root, Linux, openssh-server, iproute2 and
// util-linux, and nothing else; [Check] says what is missing.
//
// Each host has mount, process and host name namespaces of its own, and an
// address of its own with port 22 in a network namespace of the fleet. Its first
// process is its sshd. A host sees the root file system of this machine
// read-only, and has for itself, in memory:
//
//   - a "disk" of up to 1 GiB with /root, /home, /etc/ssh, /etc/passwd,
//     /etc/shadow, /etc/group, and an empty /var/lib;
//   - beside it /run, /tmp, /var/log and /dev/shm, which stay writable when the
//     disk is not.
//
// The users root, forge and deploy log in with [Fleet.Signer], by their
// ~/.ssh/authorized_keys; sshd logs to /var/log/auth.log. The files of /etc that
// are the host's own can be written, not replaced by a rename. There is neither
// systemd nor a way out to the internet.
//
// Hosts can be brought into trouble: see [Fault].
package sshfleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"
)

// MaxHosts is how many hosts a fleet can have.
const MaxHosts = 500

// Config says what fleet to start.
type Config struct {
	Hosts int // 1 to MaxHosts
	// Logger is told what the fleet took to start. Defaults to none.
	Logger *slog.Logger
}

// Fleet is a number of running hosts. It belongs to the process that started it:
// what that leaves when it is killed, Sweep removes.
type Fleet struct {
	Hosts []*Host
	// Signer opens root, forge and deploy of every host.
	Signer ssh.Signer
	// KeyFile has Signer's key in OpenSSH's format, for ssh -i.
	KeyFile string
	// KnownHosts has the hosts' keys, for ssh -o UserKnownHostsFile.
	KnownHosts string

	name  string
	close func() error
}

// Start starts a fleet whose hosts accept logins when it returns. ctx bounds the
// start alone; the caller closes the fleet.
func Start(ctx context.Context, cfg Config) (*Fleet, error) {
	if cfg.Hosts < 1 || cfg.Hosts > MaxHosts {
		return nil, fmt.Errorf("sshfleet: %d hosts; 1 to %d are possible", cfg.Hosts, MaxHosts)
	}
	if err := Check(); err != nil {
		return nil, err
	}
	began := time.Now()
	f := &Fleet{name: newName()}
	f.close = sync.OnceValue(f.remove)
	if err := f.start(ctx, cfg.Hosts); err != nil {
		return nil, fmt.Errorf("sshfleet: %w", errors.Join(err, f.Close()))
	}
	if cfg.Logger != nil {
		cfg.Logger.InfoContext(ctx, "fleet started", "hosts", cfg.Hosts, "took", time.Since(began))
	}
	return f, nil
}

func (f *Fleet) start(ctx context.Context, hosts int) error {
	if err := os.Mkdir(f.dir(), 0o700); err != nil {
		return err
	}
	signer, key, err := newKey()
	if err != nil {
		return err
	}
	f.Signer, f.KeyFile, f.KnownHosts = signer, filepath.Join(f.dir(), "key"), filepath.Join(f.dir(), "known_hosts")
	if err := os.WriteFile(f.KeyFile, key, 0o600); err != nil {
		return err
	}
	p, err := f.plan(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = p.complaints.Close() }()
	f.Hosts = make([]*Host, hosts)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4 * runtime.NumCPU()) // some wait for sshd
	for i := range f.Hosts {
		group.Go(func() error {
			var err error
			f.Hosts[i], err = p.start(ctx, i)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		said, _ := os.ReadFile(p.complaints.Name())
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
	}
	var known strings.Builder
	for _, h := range f.Hosts {
		fmt.Fprintf(&known, "%s %s", h.Address, ssh.MarshalAuthorizedKey(h.HostKey))
	}
	return os.WriteFile(f.KnownHosts, []byte(known.String()), 0o600)
}

// plan prepares what the hosts have in common.
func (f *Fleet) plan(ctx context.Context) (*plan, error) {
	net, err := connect(ctx, f.name)
	if err != nil {
		return nil, err
	}
	config, err := sshdConfig()
	if err != nil {
		return nil, err
	}
	files, err := sharedFiles(f.Signer.PublicKey())
	if err != nil {
		return nil, err
	}
	complaints, err := os.Create(filepath.Join(f.dir(), "start.log"))
	return &plan{f.name, net, config, files, complaints}, err
}

// DropConnections ends every process of every host but the listening sshd, and
// with them the connections. New ones are possible at once.
func (f *Fleet) DropConnections(ctx context.Context) error {
	return endProcesses(ctx, f.Hosts...)
}

// Close ends the fleet and removes all of it. Further calls return what the
// first did.
func (f *Fleet) Close() error { return f.close() }

func (f *Fleet) remove() error {
	for _, h := range f.Hosts {
		if h != nil {
			_ = h.sshd.Kill() // it may have ended
		}
	}
	for _, h := range f.Hosts {
		if h != nil {
			_, _ = h.sshd.Wait()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := removeLeft(ctx, f.name); err != nil {
		return fmt.Errorf("sshfleet: %w", err)
	}
	return nil
}

// dir is where the fleet's files are outside of its hosts.
func (f *Fleet) dir() string { return filepath.Join(runDir, f.name) }

package sshfleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"
)

// patience bounds what a host does by itself, as to start and to reload.
const patience = 30 * time.Second

// pidFile is written by sshd when it listens.
const pidFile = "/run/sshd.pid"

// ErrEnded says that a host is no more: its fleet is closed, or its sshd has
// ended by itself.
var ErrEnded = errors.New("the host has ended")

// Host is a running OpenSSH server.
type Host struct {
	Name    string // its host name
	Address netip.Addr
	HostKey ssh.PublicKey

	fleet string // the fleet's name
	sshd  *os.Process
}

// Addr is host and port of the SSH server.
func (h *Host) Addr() string { return netip.AddrPortFrom(h.Address, 22).String() }

// plan is what the hosts of a fleet have in common.
type plan struct {
	fleet      string // its name
	net        netip.Prefix
	config     string // of sshd
	files      []file
	complaints *os.File // of what goes before sshd
}

// start returns the i-th host. In spite of an error there may be one.
func (p *plan) start(ctx context.Context, i int) (*Host, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	signer, key, err := newKey()
	if err != nil {
		return nil, err
	}
	h := &Host{Name: fmt.Sprintf("host%03d", i+1), Address: hostAddress(p.net, i), HostKey: signer.PublicKey(), fleet: p.fleet}
	h.sshd, err = boot(h, append([]file{
		{path: "/etc/ssh/sshd_config", content: []byte(p.config + "ListenAddress " + h.Address.String() + "\n"), mode: 0o644},
		{path: "/etc/ssh/ssh_host_ed25519_key", content: key, mode: 0o600},
		{path: "/etc/ssh/ssh_host_ed25519_key.pub", content: ssh.MarshalAuthorizedKey(h.HostKey), mode: 0o644},
	}, p.files...), p.complaints)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.Name, err)
	}
	return h, h.listening(ctx)
}

// Run runs a bash script as root on the host by way of this machine, so that
// neither network nor SSH matters. The script has to exit 0; Run returns what it
// printed on its standard output. ctx ends the wait for it; what runs then ends
// with the host at the latest.
func (h *Host) Run(ctx context.Context, script string, args ...string) (string, error) {
	if err := h.running(); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{
		"--target=" + strconv.Itoa(h.sshd.Pid), "--mount", "--uts", "--net", "--pid", "--wd=/", "--",
		"/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root",
		"bash", "-euo", "pipefail", "-c", script, "inside",
	}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second // nsenter's child may keep the pipes
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w: %s", h.Name, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}

// File reads a file of the host by its absolute path, with its symbolic links as
// the host sees them.
func (h *Host) File(name string) ([]byte, error) {
	if err := h.running(); err != nil {
		return nil, err
	}
	f, err := h.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var content bytes.Buffer
	_, err = content.ReadFrom(f)
	return content.Bytes(), err
}

// Reload has sshd read its configuration and its keys again, and returns when it
// listens with them. Connections stay as they are.
func (h *Host) Reload(ctx context.Context) error {
	if err := h.running(); err != nil {
		return err
	}
	if err := os.Remove(h.path(pidFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	if err := h.hangUp(); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return h.listening(ctx)
}

// DropConnections is that of the Fleet for one host.
func (h *Host) DropConnections(ctx context.Context) error { return endProcesses(ctx, h) }

// listening waits until sshd has written its process id.
func (h *Host) listening(ctx context.Context) error {
	err := await(ctx, func() (bool, error) {
		_, err := os.Stat(h.path(pidFile))
		if err != nil && h.ended() {
			said, _ := os.ReadFile(h.path("/var/log/auth.log"))
			return false, fmt.Errorf("%w: %s", ErrEnded, bytes.TrimSpace(said))
		}
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

// running is asked before the host is looked for by the id of its first process,
// which may be another's once the fleet is closed.
func (h *Host) running() error {
	if h.ended() {
		return fmt.Errorf("%s: %w", h.Name, ErrEnded)
	}
	return nil
}

// path is where this machine sees a file of the host. Its directories must not
// be symbolic links.
func (h *Host) path(name string) string {
	return path.Join("/proc", strconv.Itoa(h.sshd.Pid), "root", name)
}

// await asks again and again: what happens in a host gives no signal.
func await(ctx context.Context, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed-797f2c2c/forge"
)

// host is a server, to which OpenSSH's client gets too.
type host struct {
	forge  *forge.Forge
	server *forge.Server
	dir    string // for files
}

func (h *host) file(name string) string { return filepath.Join(h.dir, h.server.ID+"."+name) }

// allow lets a new key log in as the user forge.
func (h *host) allow(ctx context.Context) error {
	file, line, err := newKey()
	if err != nil {
		return err
	}
	key, err := h.forge.Keys.Add(ctx, forge.KeyOpts{Name: "bench", Public: line})
	if err != nil {
		return err
	}
	action, err := h.forge.Keys.Sync(ctx, key.ID, forge.Selector{Servers: []string{h.server.ID}, User: "forge"})
	if err == nil {
		_, err = h.forge.Actions.Wait(ctx, action.ID)
	}
	if err != nil {
		return err
	}
	var known strings.Builder
	for _, k := range h.server.HostKeys {
		fmt.Fprintf(&known, "%s %s\n", h.server.Address, strings.TrimSpace(k))
	}
	if err := os.WriteFile(h.file("known_hosts"), []byte(known.String()), 0o600); err != nil {
		return err
	}
	return os.WriteFile(h.file("key"), file, 0o600)
}

func (h *host) login() string { return "forge@" + h.server.Address }

// options make OpenSSH's clients log in with the key, and trust the server.
func (h *host) options() []string {
	return []string{
		"-F", "none", "-i", h.file("key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ControlPath=none",
		"-o", "UserKnownHostsFile=" + h.file("known_hosts"), "-o", "StrictHostKeyChecking=yes",
	}
}

// openSSH is a program that says what goes wrong, and nothing else.
func (h *host) openSSH(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// ssh is a command of OpenSSH's client, on a connection of its own unless options
// say otherwise.
func (h *host) ssh(ctx context.Context, command string, options ...string) *exec.Cmd {
	return h.openSSH(ctx, "ssh", slices.Concat(options, h.options(), []string{h.login(), command})...)
}

// bash runs a script on the server as root.
func (h *host) bash(ctx context.Context, script string, args ...string) error {
	return h.script(ctx, "root", script, args...)
}

func (h *host) script(ctx context.Context, user, script string, args ...string) error {
	_, err := h.forge.Servers.Run(ctx, h.server.ID, forge.RunOpts{User: user, Script: script, Args: args})
	return err
}

const install = `command -v "$1" >/dev/null && exit
apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >/dev/null; }
apt install -y --no-install-recommends "$1" 2>/dev/null || { apt update; apt install -y --no-install-recommends "$1"; }`

// install makes sure that the server has a program, by the Debian package of its
// name.
func (h *host) install(ctx context.Context, program string) error {
	return h.bash(ctx, install, program)
}

// then checks and clears away, as root and apart from what is measured, what a run
// did.
func (h *host) then(run measure, script string, args ...string) measure {
	return func(ctx context.Context) (float64, error) {
		value, err := run(ctx)
		if err == nil {
			err = h.bash(ctx, script, args...)
		}
		return value, err
	}
}

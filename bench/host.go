package main

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"

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
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return err
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	key, err := h.forge.Keys.Add(ctx, forge.KeyOpts{Name: "bench", Public: string(ssh.MarshalAuthorizedKey(line))})
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
	return os.WriteFile(h.file("key"), pem.EncodeToMemory(block), 0o600)
}

// ssh is a command of OpenSSH's client, on a connection of its own.
func (h *host) ssh(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "ssh", "-F", "none", "-i", h.file("key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile="+h.file("known_hosts"), "-o", "StrictHostKeyChecking=yes", "-o", "ControlPath=none",
		"forge@"+h.server.Address, command)
	cmd.Stderr = os.Stderr
	return cmd
}

// bash runs a script on the server as root.
func (h *host) bash(ctx context.Context, script string, args ...string) error {
	_, err := h.forge.Servers.Run(ctx, h.server.ID, forge.RunOpts{User: "root", Script: script, Args: args})
	return err
}

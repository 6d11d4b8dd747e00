package main

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
)

//go:embed deploy/deploy.rb
var capistranoConfig string

const capfile = `require "capistrano/setup"
require "capistrano/deploy"
require "capistrano/scm/git"
install_plugin Capistrano::SCM::Git
`

// capistrano deploys the repository by Capistrano, as the same user to a directory
// beside the site.
func (h *host) capistrano() (func(ctx context.Context) error, error) {
	dir := h.file("capistrano")
	for name, text := range map[string]string{
		"Capfile":                     capfile,
		"config/deploy.rb":            capistranoConfig,
		"config/deploy/production.rb": `server "` + h.server.Address + `", user: "forge", roles: %w[app]` + "\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		cmd := h.openSSH(ctx, "cap", "production", "deploy")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "BENCH_KEY="+h.file("key"), "BENCH_KNOWN_HOSTS="+h.file("known_hosts"))
		return cmd.Run()
	}, nil
}

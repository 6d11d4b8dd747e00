package stack_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"mvdan.cc/sh/v3/syntax"

	"github.com/seed-797f2c2c/forge/internal/stack"
)

const controlKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7dnqHRfVXLyzMPzBU7U2IrYl3XlJzqy5jNGTVWIcTl forge's key"

func bare(os string) stack.Config { return stack.Config{OS: os, ControlKey: controlKey} }

// matrix returns a config for every system, source and database, with all that
// can be had, and the barest one.
func matrix() map[string]stack.Config {
	configs := map[string]stack.Config{}
	distro := map[string][3]string{ // PHP, Node
		"debian-12": {"8.2", "18"}, "debian-13": {"8.4", "20"},
		"ubuntu-22.04": {"8.1", "12"}, "ubuntu-24.04": {"8.3", "18"},
	}
	for system, has := range distro {
		configs[system+" bare"] = bare(system)
		for _, source := range []stack.Source{stack.Distro, stack.Upstream} {
			for _, database := range []string{stack.MySQL, stack.MariaDB, stack.PostgreSQL} {
				if database == stack.MySQL && source == stack.Distro && strings.HasPrefix(system, "debian") {
					continue
				}
				c := bare(system)
				c.Source, c.Database, c.PHP, c.Node = source, database, []string{has[0]}, has[1]
				if source == stack.Upstream {
					c.PHP, c.Node = []string{"8.4", "8.2"}, "22"
				}
				c.Redis, c.Composer, c.Supervisor, c.UnattendedUpgrades, c.KeepKeys = true, true, true, true, true
				c.Before = []stack.Step{{Name: "first", Script: "true"}}
				c.After = []stack.Step{{Name: "last", Script: "echo \"it's\"\n", Check: "true"}}
				c.HTTPProxy, c.NoProxy, c.AptMirror = "http://proxy:3128", []string{".corp"}, "http://mirror/debian"
				c.SwapMB, c.Timezone, c.SSHPort, c.LoginUser = 1024, "Europe/Berlin", 2222, "admin"
				configs[strings.Join([]string{system, string(source), database}, " ")] = c
			}
		}
	}
	return configs
}

func TestScriptsAreSoundShell(t *testing.T) {
	t.Parallel()
	shellcheck, err := exec.LookPath("shellcheck")
	require.NoError(t, err, "install shellcheck")
	for name, config := range matrix() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script, err := stack.Build(config)
			require.NoError(t, err)
			sound(t, shellcheck, script.Bytes)
		})
	}
	c := bare("debian-12")
	c.Source, c.PHP = stack.Upstream, []string{"8.2"}
	for name, build := range map[string]func() (stack.Script, error){
		"add PHP":    func() (stack.Script, error) { return stack.AddPHP(c, "8.4") },
		"remove PHP": func() (stack.Script, error) { return stack.RemovePHP(c, "8.2") },
		"remove": func() (stack.Script, error) {
			text, err := stack.Remove()
			return stack.Script{Bytes: []byte("#!/bin/bash\nset -euo pipefail\n" + text)}, err
		},
		"check the login": func() (stack.Script, error) {
			text, err := stack.CheckLogin(c)
			return stack.Script{Bytes: []byte("#!/bin/bash\nset -euo pipefail\n" + text)}, err
		},
		"remove the login": func() (stack.Script, error) {
			text, err := stack.RemoveLogin(c, false)
			return stack.Script{Bytes: []byte("#!/bin/bash\nset -euo pipefail\n" + text)}, err
		},
		"check a bare server": func() (stack.Script, error) {
			text, err := stack.CheckBare("root", []string{"AAAA", "forge:1"})
			return stack.Script{Bytes: []byte("#!/bin/bash\nset -euo pipefail\n" + text)}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script, err := build()
			require.NoError(t, err)
			sound(t, shellcheck, script.Bytes)
		})
	}
}

func sound(t *testing.T, shellcheck string, script []byte) {
	t.Helper()
	_, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(bytes.NewReader(script), "")
	require.NoError(t, err)

	check := exec.CommandContext(t.Context(), shellcheck, "--shell=bash", "--format=gcc", "-")
	check.Stdin = bytes.NewReader(script)
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

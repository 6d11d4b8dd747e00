package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Options of OpenSSH's client.
const (
	curve25519 = "KexAlgorithms=curve25519-sha256"
	noMaster   = "ControlPath=none"
)

// options make OpenSSH's client log in with the fleet's key, and know the hosts.
func (f *fleet) options(more ...string) []string {
	args := []string{"-F", "none", "-i", f.KeyFile}
	for _, o := range append(more, "IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes",
		"UserKnownHostsFile="+f.KnownHosts, "LogLevel=ERROR") {
		args = append(args, "-o", o)
	}
	return args
}

// master are the options by which ssh leaves a connection open and uses it again.
func (f *fleet) master() []string {
	return []string{"ControlMaster=auto", "ControlPersist=600", "ControlPath=" + f.file("master-%C")}
}

// endMasters closes those connections.
func (f *fleet) endMasters() error {
	sockets, err := filepath.Glob(f.file("master-*"))
	for _, socket := range sockets {
		err = errors.Join(err, exec.Command("ssh", "-F", "none", "-q", "-o", "ControlPath="+socket, "-O", "exit", "any").Run())
	}
	return err
}

// xargs runs ssh for each of the first hosts, all at once.
func (f *fleet) xargs(ctx context.Context, hosts int, options []string, command ...string) error {
	args := slices.Concat([]string{"-P", strconv.Itoa(hosts), "-I", "HOST", "ssh"}, options, []string{"root@HOST"}, command)
	cmd := exec.CommandContext(ctx, "xargs", args...)
	cmd.Stdin, cmd.Stderr = strings.NewReader(strings.Join(f.addresses(hosts), "\n")), os.Stderr
	return cmd.Run()
}

func (f *fleet) addresses(hosts int) []string {
	var all []string
	for _, h := range f.Hosts[:hosts] {
		all = append(all, h.Address.String())
	}
	return all
}

// list writes a file with the first hosts.
func (f *fleet) list(hosts int) (string, error) {
	name := f.file(fmt.Sprint("hosts", hosts))
	return name, os.WriteFile(name, []byte(strings.Join(f.addresses(hosts), "\n")+"\n"), 0o600)
}

// pssh runs a command on the first hosts by parallel-ssh.
func (f *fleet) pssh(ctx context.Context, hosts int, command string) error {
	list, err := f.list(hosts)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "parallel-ssh", "-p", strconv.Itoa(hosts), "-h", list, "-l", "root",
		"-x", strings.Join(f.options(noMaster), " "), command)
	return explained(cmd)
}

// ansible runs a module on the first hosts, with what makes it fast: one process
// for each host, pipelining, a known interpreter and no facts.
func (f *fleet) ansible(ctx context.Context, hosts int, options []string, module, args string) error {
	list, err := f.list(hosts)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "ansible", "all", "-i", list, "-f", strconv.Itoa(hosts), "-u", "root", "-m", module, "-a", args)
	cmd.Dir = f.dir // without a configuration
	cmd.Env = append(os.Environ(), "HOME="+f.dir, "ANSIBLE_PIPELINING=True",
		"ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3", "ANSIBLE_SSH_ARGS="+strings.Join(f.options(options...), " "))
	return explained(cmd)
}

// explained runs a command, the output of which is for when it fails.
func explained(cmd *exec.Cmd) error {
	out, err := os.CreateTemp("", "forge-bench-")
	if err != nil {
		return err
	}
	defer func() {
		_ = out.Close()
		_ = os.Remove(out.Name())
	}()
	cmd.Stdout, cmd.Stderr = out, out // no pipe, which a master would keep open
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%s: %w: %s", cmd.Args[0], err, said)
	}
	return nil
}

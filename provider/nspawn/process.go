package nspawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// enter puts itself into the cgroup $1, then leaves the rest running in a
// session of its own, apart from the program that started it.
const enter = `echo $$ >"$1/cgroup.procs" || exit 1
shift
exec setsid --fork "$@"`

// keep runs systemd-nspawn for as long as the machine is switched on: exit
// status 133 is a reboot inside.
const keep = `while :; do
	"$@"
	[ $? -eq 133 ] || exit 0
done`

// start boots the machine from its mounted disk in its network namespace, and
// returns when PID 1 runs.
func (d disk) start(ctx context.Context, id, hostname string, suppressSync bool) error {
	group, err := machineCgroup(id)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(group), 0o750); err != nil {
		return err
	}
	console, err := os.OpenFile(d.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = console.Close() }()
	cmd := exec.CommandContext(ctx, "sh", "-c", enter, "forge-nspawn", string(group),
		"sh", "-c", keep, "forge-nspawn", "systemd-nspawn", "--quiet", "--directory="+d.root(), "--machine="+id, "--hostname="+hostname,
		"--register=no", "--keep-unit", "--network-namespace-path="+netnsPath(id),
		"--capability=CAP_NET_ADMIN,CAP_NET_RAW", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
		"--suppress-sync="+strconv.FormatBool(suppressSync), "--boot")
	// The disk's lock is ours, and lock files would stay behind. The machine
	// sees cgroup v2, however the host has it.
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_LOCK=0", "UNIFIED_CGROUP_HIERARCHY=1")
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = console, console
	if err := cmd.Run(); err != nil {
		return toolError(ctx, "setsid", err, said(d.log()))
	}
	running, err := group.started(ctx)
	if err == nil && !running {
		err = toolError(ctx, "systemd-nspawn", errors.New("ended at once"), said(d.log()))
	}
	return err
}

func said(log string) []byte {
	text, _ := os.ReadFile(log)
	return text
}

// stop ends what runs of the machine, and removes what systemd-nspawn leaves
// on the host when it is killed.
func stop(ctx context.Context, id string) error {
	group, err := machineCgroup(id)
	if err != nil {
		return err
	}
	if err := group.remove(ctx); err != nil {
		return fmt.Errorf("end the processes: %w", err)
	}
	err = removeV1(id)
	for _, dir := range []string{"propagate", "unix-export"} {
		err = errors.Join(err, removeTree(filepath.Join("/run/systemd/nspawn", dir, id)))
	}
	return err
}

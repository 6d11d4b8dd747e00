package nspawn

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-797f2c2c/forge/provider"
)

// PowerOn implements provider.Power, as Start.
func (p *Provider) PowerOn(ctx context.Context, id string) error { return p.Start(ctx, id) }

// PowerOff implements provider.Power. The disk keeps what was written.
func (p *Provider) PowerOff(ctx context.Context, id string) error {
	err := p.running(ctx, id, func() error { return stop(ctx, id) })
	if err != nil {
		return fmt.Errorf("nspawn: power off: %w", err)
	}
	return nil
}

// Reboot implements provider.Power. A machine that is off stays so.
func (p *Provider) Reboot(ctx context.Context, id string) error {
	err := p.running(ctx, id, func() error {
		init, err := initProcess(id)
		if err != nil {
			return err
		}
		return init.Signal(os.Interrupt) // which is Ctrl-Alt-Del to systemd
	})
	if err != nil {
		return fmt.Errorf("nspawn: reboot: %w", err)
	}
	return nil
}

// running does something to a machine that is switched on.
func (p *Provider) running(ctx context.Context, id string, do func() error) error {
	held, err := p.lockKnown(ctx, id)
	if err != nil {
		return err
	}
	defer held.Release()
	rec, err := p.load(id)
	if err != nil {
		return err
	}
	if rec.machine(id).Status != provider.StatusActive {
		return nil
	}
	return do()
}

// initProcess returns the process that is the machine's PID 1. It is in a cgroup
// of the machine, so that no other process is taken for it.
func initProcess(id string) (*os.Process, error) {
	group, err := machineCgroup(id)
	if err != nil {
		return nil, err
	}
	pids, err := os.ReadFile(string(group) + "/payload/init.scope/cgroup.procs")
	if err != nil {
		return nil, fmt.Errorf("%w: the machine is just starting: %w", provider.ErrUnavailable, err)
	}
	for text := range strings.FieldsSeq(string(pids)) {
		status, _ := os.ReadFile("/proc/" + text + "/status") // it may be gone
		isInit := slices.ContainsFunc(strings.Split(string(status), "\n"), func(line string) bool {
			return strings.HasPrefix(line, "NSpid:") && strings.HasSuffix(line, "\t1")
		})
		if pid, err := strconv.Atoi(text); err == nil && isInit {
			return os.FindProcess(pid)
		}
	}
	return nil, fmt.Errorf("%w: the machine is just starting or ending", provider.ErrUnavailable)
}

package testmachine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// dial opens a connection that CutTCP knows.
func (m *Machine) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[conn] = struct{}{}
	return &tracked{conn, m}, nil
}

// tracked is a connection that CutTCP forgets when it is closed.
type tracked struct {
	net.Conn
	m *Machine
}

func (c *tracked) Close() error {
	c.m.mu.Lock()
	delete(c.m.conns, c.Conn)
	c.m.mu.Unlock()
	return c.Conn.Close()
}

// CutTCP resets every connection that was opened through Target. New ones are
// possible at once. It returns how many it cut.
func (m *Machine) CutTCP() int {
	defer m.pool.Forget(m.ID)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.conns)
	for conn := range m.conns {
		_ = conn.(*net.TCPConn).SetLinger(0) // a reset, not a good-bye
		_ = conn.Close()
	}
	clear(m.conns)
	return n
}

// Unplug makes the network swallow whatever goes to and from the machine, until
// Plug: open connections hang without an error.
func (m *Machine) Unplug(t testing.TB) {
	t.Helper()
	m.nft(t, `table ip %[1]s {
	chain unplugged_in { type filter hook prerouting priority -350; iifname "%[1]s" drop; }
	chain unplugged_out { type filter hook postrouting priority 350; oifname "%[1]s" drop; }
}
`)
}

// Plug undoes Unplug.
func (m *Machine) Plug(t testing.TB) {
	t.Helper()
	m.nft(t, "delete chain ip %[1]s unplugged_in\ndelete chain ip %[1]s unplugged_out\n")
}

// undo is what ends a trouble: once, at the end of the test at the latest, and
// not where the machine is gone.
func (m *Machine) undo(t testing.TB, end func()) func() {
	var once sync.Once
	f := func() {
		once.Do(func() {
			if _, err := os.Stat("/run/netns/" + m.ID); err == nil {
				end()
			}
		})
	}
	t.Cleanup(f)
	return f
}

// nft changes the machine's table, which goes with the machine.
func (m *Machine) nft(t testing.TB, rules string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(rules, m.ID))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

var errGoingDown = errors.New("still going down")

// Reboot restarts the machine as a user would, and waits for SSH.
func (m *Machine) Reboot(t testing.TB) {
	t.Helper()
	const bootID = "cat /proc/sys/kernel/random/boot_id"
	before := m.Must(t, bootID)
	_, _ = m.Run(t.Context(), sshexec.Command{Script: "systemctl reboot"}) // may cut itself off
	err := m.retry(t.Context(), func(ctx context.Context) error {
		m.pool.Forget(m.ID)
		now, err := m.Run(ctx, sshexec.Command{Script: bootID})
		if err == nil && string(now.Stdout) == before {
			err = errGoingDown
		}
		return err
	})
	require.NoError(t, err)
}

// PowerOff shuts the machine down, and waits until it is off.
func (m *Machine) PowerOff(ctx context.Context) error {
	_, _ = m.Run(ctx, sshexec.Command{Script: "systemctl poweroff"}) // may cut itself off
	m.pool.Forget(m.ID)
	return m.retry(ctx, func(ctx context.Context) error {
		now, err := m.provider.Get(ctx, m.ID)
		if err == nil && now.Status != provider.StatusOff {
			err = fmt.Errorf("machine is %s", now.Status)
		}
		return err
	})
}

// Await waits for SSH after the machine was started anew.
func (m *Machine) Await(t testing.TB) {
	t.Helper()
	require.NoError(t, m.await(t.Context()))
}

// await waits until SSH accepts the control key.
func (m *Machine) await(ctx context.Context) error {
	return m.retry(ctx, func(ctx context.Context) error {
		_, err := m.Run(ctx, sshexec.Command{Script: "true"})
		return err
	})
}

// retry tries again until it works: a machine that boots gives no signal.
func (m *Machine) retry(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("machine %s: %w: %w", m.ID, context.Cause(ctx), err)
		}
	}
}

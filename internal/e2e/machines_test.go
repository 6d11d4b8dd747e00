package e2e

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
)

// machines are those of the local box, over connections that can be cut.
type machines struct {
	*nspawn.Provider
	made  atomic.Int32                    // calls of Create
	spoil func(m *provider.Machine) error // after each Create; may be nil
	way   atomic.Pointer[string]          // who answers instead of the machines, if anybody

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

var _ provider.Dialer = (*machines)(nil)

// newMachines skips the test, or fails it, where machines cannot be had.
func newMachines(t *testing.T, edit ...func(*nspawn.Config)) *machines {
	t.Helper()
	cfg := nspawn.Config{SuppressSync: true, Logger: slog.New(slog.DiscardHandler)}
	for _, fn := range edit {
		fn(&cfg)
	}
	p, err := nspawn.New(cfg)
	require.NoError(t, err)
	if err := p.Validate(t.Context()); err != nil {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), err.Error())
		t.Skip(err)
	}
	return &machines{Provider: p, conns: map[net.Conn]struct{}{}}
}

func (m *machines) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	m.made.Add(1)
	machine, err := m.Provider.Create(ctx, spec)
	if err == nil && m.spoil != nil {
		err = m.spoil(machine)
	}
	return machine, err
}

// DialMachine implements provider.Dialer.
func (m *machines) DialMachine(ctx context.Context, address string, port int) (net.Conn, error) {
	addr := net.JoinHostPort(address, strconv.Itoa(port))
	if other := m.way.Load(); other != nil {
		addr = *other
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns[conn] = struct{}{}
	return &cuttable{conn, m}, nil
}

type cuttable struct {
	net.Conn
	machines *machines
}

func (c *cuttable) Close() error {
	c.machines.mu.Lock()
	delete(c.machines.conns, c.Conn)
	c.machines.mu.Unlock()
	return c.Conn.Close()
}

// cut resets every connection and returns how many there were.
func (m *machines) cut() int {
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

// file is a file of a machine as this host sees it.
func file(m *provider.Machine, path string) string {
	return filepath.Join("/var/lib/forge-nspawn/machines", m.ID, "root", path)
}

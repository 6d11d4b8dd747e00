package nspawn_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestRebootAndPowerOff(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	m := testmachine.New(t)
	m.Must(t, "echo kept >/root/kept")
	m.Reboot(t)
	require.Equal(t, "kept\n", m.Must(t, "cat /root/kept"), "it is the same disk")

	require.NoError(t, m.PowerOff(t.Context()))
	got, err := p.Get(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, provider.StatusOff, got.Status)
	require.NoError(t, p.Start(t.Context(), m.ID))
	require.NoError(t, p.Start(t.Context(), m.ID), "what runs already is no error")
	m.Await(t)
	require.Equal(t, "kept\n", m.Must(t, "cat /root/kept"))

	dir := filepath.Join(t.TempDir(), "layer")
	_, err = p.Freeze(t.Context(), m.ID, dir)
	require.ErrorIs(t, err, provider.ErrConflict, "it is not off")

	require.NoError(t, p.Delete(t.Context(), m.ID))
	require.Empty(t, traces(t, m.ID))
	_, err = p.Get(t.Context(), m.ID)
	require.ErrorIs(t, err, provider.ErrNotFound)
}

func TestInside(t *testing.T) {
	t.Parallel()
	m, other := testmachine.New(t), testmachine.New(t)
	require.Equal(t, "running\n", m.Must(t, "systemctl is-system-running --wait"))
	require.Equal(t, "ssh_host_ed25519_key\nssh_host_ed25519_key.pub\n", m.Must(t, "cd /etc/ssh; ls ssh_host_*"))
	require.Equal(t, "127.0.1.1       machine\n", m.Must(t, "getent hosts machine"))
	m.Must(t, "apt-get -q update >/dev/null 2>&1") // the way out

	// Units of one machine are not those of another.
	other.Must(t, "systemd-run --quiet --unit=x sleep 1000")
	m.Must(t, "systemd-run --quiet --unit=x sleep 1000; systemctl stop x")
	require.Equal(t, "active\n", other.Must(t, "systemctl is-active x"))

	// They reach each other, under their own addresses alone.
	_, err := m.Run(t.Context(), sshexec.Command{
		Script: `exec 3<>/dev/tcp/"$1"/22; read -rt 5 -u 3 banner; [[ $banner = SSH* ]]`, Args: []string{other.Address},
	})
	require.NoError(t, err)
	m.Must(t, `ip addr add 203.0.113.9/32 dev lo; ip route add "$1" via "$2" src 203.0.113.9`, other.Address, gateway(t, m))
	_, err = m.Run(t.Context(), sshexec.Command{
		Script: `timeout 1 bash -c 'exec 3<>/dev/tcp/"$1"/22' -- "$1"`, Args: []string{other.Address},
	})
	var exit *sshexec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 124, exit.ExitCode, "what bears another address is dropped")
}

// gateway is the host's address on the machine's network.
func gateway(t *testing.T, m *testmachine.Machine) string {
	addr, err := netip.ParseAddr(m.Address)
	require.NoError(t, err)
	return addr.Prev().String()
}

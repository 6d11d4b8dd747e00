package testmachine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/sshexec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMachine(t *testing.T) {
	t.Parallel()
	m := testmachine.New(t)
	require.Equal(t, "machine\n", m.Must(t, "hostname"))
	require.Equal(t, "a b\n", m.Must(t, `echo "$1"`, "a b"))

	client := m.SSH(t)
	_, err := client.Run(t.Context(), sshexec.Command{Script: "true"})
	require.NoError(t, err)
	require.Equal(t, 2, m.CutTCP())
	_, err = client.Run(t.Context(), sshexec.Command{Script: "true"})
	require.Error(t, err, "the connection was cut")

	client = m.SSH(t)
	m.Unplug(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = client.Run(ctx, sshexec.Command{Script: "true"})
	require.Error(t, err, "nothing comes through")
	m.Plug(t)
	client = m.SSH(t)
	_, err = client.Run(t.Context(), sshexec.Command{Script: "echo kept >/root/kept; sync"})
	require.NoError(t, err)

	m.Reboot(t)
	require.Equal(t, "kept\n", m.Must(t, "cat /root/kept"))
}

func TestLayered(t *testing.T) {
	t.Parallel()
	prepared := 0
	layer := testmachine.Layer{
		Name:    "self-test",
		Version: strings.Repeat(time.Now().String(), 2),
		Prepare: func(m *testmachine.Machine) error {
			prepared++
			result, err := m.Run(context.Background(), sshexec.Command{Script: "echo here >/opt/file; rm -r /usr/share/doc; mkdir /usr/share/doc"})
			if err == nil && result.ExitCode != 0 {
				err = errors.New(string(result.Stderr))
			}
			return err
		},
	}
	a, b := testmachine.Layered(t, layer), testmachine.Layered(t, layer)
	require.Equal(t, 1, prepared)
	for _, m := range []*testmachine.Machine{a, b} {
		require.Equal(t, "here\n", m.Must(t, "cat /opt/file; ls /usr/share/doc"))
		require.Equal(t, "running\n", m.Must(t, "systemctl is-system-running --wait"))
	}
	const id = "cat /etc/machine-id"
	require.NotEqual(t, a.Must(t, id), b.Must(t, id))
}

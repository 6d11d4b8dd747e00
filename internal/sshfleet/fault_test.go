package sshfleet_test

import (
	"context"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
)

// soon is how long an answer is waited for that does not come.
const soon = 300 * time.Millisecond

// symptom checks what a fault is like, given a connection from before it.
type symptom func(t *testing.T, f *sshfleet.Fleet, h *sshfleet.Host, before *ssh.Client)

func symptoms() map[sshfleet.Fault]symptom {
	return map[sshfleet.Fault]symptom{
		sshfleet.Silence: func(t *testing.T, _ *sshfleet.Fleet, h *sshfleet.Host, before *ssh.Client) {
			conn, err := net.DialTimeout("tcp", h.Addr(), time.Minute)
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(soon)))
			_, err = conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			requireSilent(t, before)
		},
		sshfleet.Unplug: func(t *testing.T, _ *sshfleet.Fleet, h *sshfleet.Host, before *ssh.Client) {
			_, err := net.DialTimeout("tcp", h.Addr(), soon)
			var timeout net.Error
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Timeout(), err)
			requireSilent(t, before)
		},
		sshfleet.Slow: func(t *testing.T, f *sshfleet.Fleet, h *sshfleet.Host, _ *ssh.Client) {
			began := time.Now()
			_, err := login(within(t, time.Minute), f, h, "forge", "true")
			require.NoError(t, err)
			require.GreaterOrEqual(t, time.Since(began), 2*time.Second)
		},
		sshfleet.Fill: func(t *testing.T, f *sshfleet.Fleet, h *sshfleet.Host, before *ssh.Client) {
			requireUnwritable(t, f, h, before, "No space left on device")
		},
		sshfleet.ReadOnly: func(t *testing.T, f *sshfleet.Fleet, h *sshfleet.Host, before *ssh.Client) {
			requireUnwritable(t, f, h, before, "Read-only file system")
		},
		sshfleet.RefuseSessions: func(t *testing.T, f *sshfleet.Fleet, h *sshfleet.Host, _ *ssh.Client) {
			_, err := login(within(t, time.Minute), f, h, "forge", "true")
			var refused *ssh.OpenChannelError
			require.ErrorAs(t, err, &refused)
		},
		sshfleet.NewHostKey: func(t *testing.T, f *sshfleet.Fleet, h *sshfleet.Host, _ *ssh.Client) {
			_, err := dial(within(t, time.Minute), f, h, "forge")
			require.ErrorContains(t, err, "host key mismatch")
		},
		sshfleet.Down: func(t *testing.T, _ *sshfleet.Fleet, h *sshfleet.Host, before *ssh.Client) {
			_, err := net.DialTimeout("tcp", h.Addr(), time.Minute)
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
			require.Error(t, before.Wait())
		},
	}
}

func requireSilent(t *testing.T, before *ssh.Client) {
	t.Helper()
	ctx := within(t, soon)
	_, err := over(ctx, before, "true")
	require.Error(t, err)
	require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded, "it was not the wait that ended it: %v", err)
}

func requireUnwritable(t *testing.T, f *sshfleet.Fleet, h *sshfleet.Host, before *ssh.Client, why string) {
	t.Helper()
	ctx := within(t, time.Minute)
	out, err := over(ctx, before, "echo key >>.ssh/authorized_keys.new")
	require.Error(t, err)
	require.Contains(t, out, why)
	for _, dir := range []string{"/root/.ssh", "/home", "/etc/ssh", "/var/lib"} {
		_, err := h.Run(ctx, `echo key >>"$1/new"`, dir)
		require.ErrorContains(t, err, why)
	}
	_, err = h.Run(ctx, "echo >/run/new; echo >/tmp/new; echo >/var/log/new")
	require.NoError(t, err)
	_, err = login(ctx, f, h, "forge", "true")
	require.NoError(t, err)
}

func TestFaults(t *testing.T) {
	t.Parallel()
	faults := sshfleet.Faults()
	f := fleettest.Start(t, len(faults)+1)
	require.Len(t, symptoms(), len(faults))
	good := f.Hosts[len(faults)]
	t.Run("each", func(t *testing.T) { // the fleet stays until all have ended
		for i, fault := range faults {
			t.Run(string(fault), func(t *testing.T) {
				t.Parallel()
				ctx, h := within(t, time.Minute), f.Hosts[i]
				before, err := dial(ctx, f, h, "forge")
				require.NoError(t, err)
				defer func() { _ = before.Close() }()

				mend, err := h.Break(ctx, fault)
				require.NoError(t, err)
				symptoms()[fault](t, f, h, before)
				_, err = login(ctx, f, good, "forge", "true")
				require.NoError(t, err)

				require.NoError(t, mend())
				require.NoError(t, mend(), "again")
				_, err = login(ctx, f, h, "forge", "echo key >>.ssh/authorized_keys.new; rm .ssh/authorized_keys.new")
				require.NoError(t, err)
				settings, err := h.Run(ctx, "ls /run/sshd_config.d")
				require.NoError(t, err)
				require.Empty(t, settings)
			})
		}
	})
}

func TestFaultsTogether(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 1)
	ctx, h := within(t, time.Minute), f.Hosts[0]
	_, err := h.Break(ctx, "on fire")
	require.ErrorContains(t, err, "on fire")
	var mends []func() error
	for _, fault := range sshfleet.Faults() {
		if fault == sshfleet.Silence {
			continue // a stopped server cannot be told
		}
		mend, err := h.Break(ctx, fault)
		require.NoError(t, err)
		mends = append(mends, mend)
	}
	_, err = dial(within(t, soon), f, h, "forge")
	require.Error(t, err)
	for _, mend := range mends { // in whatever order
		require.NoError(t, mend())
	}
	_, err = login(ctx, f, h, "forge", "true")
	require.NoError(t, err)
}

func TestSilenceKeepsConnections(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 1)
	ctx, h := within(t, time.Minute), f.Hosts[0]
	client, err := dial(ctx, f, h, "root")
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	mend, err := h.Break(ctx, sshfleet.Silence)
	require.NoError(t, err)
	answer := make(chan error, 1)
	go func() {
		_, err := over(ctx, client, "true")
		answer <- err
	}()
	select {
	case err := <-answer:
		require.Fail(t, "a silent host has answered", err)
	case <-time.After(soon):
	}
	require.NoError(t, mend())
	require.NoError(t, <-answer)
}

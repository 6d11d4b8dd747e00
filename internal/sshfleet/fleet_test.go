package sshfleet_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/sshfleet"
	"github.com/seed-797f2c2c/forge/internal/sshfleet/fleettest"
)

// dial logs in as a user who expects the host's first key. Whatever takes long
// ends with ctx.
func dial(ctx context.Context, f *sshfleet.Fleet, h *sshfleet.Host, user string) (*ssh.Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", h.Addr())
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, channels, requests, err := ssh.NewClientConn(conn, h.Addr(), &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(f.Signer)},
		HostKeyCallback: ssh.FixedHostKey(h.HostKey), HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}

// over runs a command on a connection. ctx ends both.
func over(ctx context.Context, client *ssh.Client, command string) (string, error) {
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	defer func() { _ = session.Close() }()
	out, err := session.CombinedOutput(command)
	return string(out), err
}

// login runs a command on a connection of its own.
func login(ctx context.Context, f *sshfleet.Fleet, h *sshfleet.Host, user, command string) (string, error) {
	client, err := dial(ctx, f, h, user)
	if err != nil {
		return "", err
	}
	defer func() { _ = client.Close() }()
	return over(ctx, client, command)
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestLogin(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 5)
	ctx := within(t, time.Minute)
	require.Len(t, f.Hosts, 5)
	for i, h := range f.Hosts {
		require.Equal(t, fmt.Sprintf("host%03d", i+1), h.Name)
		for _, user := range []string{"root", "forge", "deploy"} {
			out, err := login(ctx, f, h, user, "id -un; hostname; cd; stat -c %U:%G:%a .ssh .ssh/authorized_keys")
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("%[1]s\n%[2]s\n%[1]s:%[1]s:700\n%[1]s:%[1]s:600\n", user, h.Name), out)
		}
		log, err := h.File("/var/log/auth.log")
		require.NoError(t, err)
		require.Contains(t, string(log), "Accepted publickey for deploy from ")

		out, err := exec.CommandContext(ctx, "ssh", "-F", "none", "-i", f.KeyFile, "-o", "BatchMode=yes",
			"-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile="+f.KnownHosts,
			"forge@"+h.Address.String(), "hostname").CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, h.Name+"\n", string(out))
	}
}

func TestSFTPAndTerminal(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 1)
	ctx := within(t, time.Minute)
	sftp := exec.CommandContext(ctx, "sftp", "-F", "none", "-i", f.KeyFile, "-o", "BatchMode=yes",
		"-o", "UserKnownHostsFile="+f.KnownHosts, "-b", "-", "deploy@"+f.Hosts[0].Address.String())
	sftp.Stdin = strings.NewReader("pwd\n")
	out, err := sftp.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "/home/deploy")

	client, err := dial(ctx, f, f.Hosts[0], "deploy")
	require.NoError(t, err)
	defer func() { _ = client.Close() }()
	session, err := client.NewSession()
	require.NoError(t, err)
	require.NoError(t, session.RequestPty("xterm", 24, 80, nil))
	out, err = session.CombinedOutput("tty")
	require.NoError(t, err)
	require.Contains(t, string(out), "/dev/pts/")
}

func TestOwnFiles(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 2)
	ctx := within(t, time.Minute)
	one, two := f.Hosts[0], f.Hosts[1]
	for _, dir := range []string{
		"/root", "/home", "/home/forge", "/etc/ssh", "/var/lib/forge", "/run", "/run/lock", "/tmp", "/var/log", "/dev/shm",
	} {
		mark := dir + "/mark-of-one"
		_, err := one.Run(ctx, `mkdir -p "${1%/*}" && echo one >"$1" && chmod 0600 "$1"`, mark)
		require.NoError(t, err)
		content, err := one.File(mark)
		require.NoError(t, err)
		require.Equal(t, "one\n", string(content))
		_, err = two.File(mark)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.NoFileExists(t, mark)
	}
	for _, file := range []string{"/etc/passwd", "/etc/group", "/etc/shadow"} {
		_, err := one.Run(ctx, `echo mark:x:2000:2000::: >>"$1"`, file)
		require.NoError(t, err)
		content, err := two.File(file)
		require.NoError(t, err)
		require.NotContains(t, string(content), "mark:")
	}
	_, err := one.Run(ctx, "touch /usr/mark")
	require.ErrorContains(t, err, "Read-only file system")

	_, err = one.Run(ctx, "ln -s /etc/ssh/sshd_config /root/link")
	require.NoError(t, err)
	link, err := one.File("/root/link")
	require.NoError(t, err)
	require.Contains(t, string(link), one.Address.String(), "a link leads to the host's own file")

	processes, err := one.Run(ctx, "ls -d /proc/[0-9]* | wc -l")
	require.NoError(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(processes))
	require.NoError(t, err)
	require.Less(t, n, 10, "it sees its own processes alone")
}

func TestRun(t *testing.T) {
	t.Parallel()
	h := fleettest.Start(t, 1).Hosts[0]
	out, err := h.Run(t.Context(), `echo "$1"; echo "$2"`, "a b", "$HOME")
	require.NoError(t, err)
	require.Equal(t, "a b\n$HOME\n", out)
	_, err = h.Run(t.Context(), "echo why >&2; exit 3")
	require.ErrorContains(t, err, "why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(os.ErrDeadlineExceeded)
	_, err = h.Run(ctx, "true")
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestDropConnections(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 3)
	ctx := within(t, time.Minute)
	clients := make([]*ssh.Client, 0, len(f.Hosts))
	for _, h := range f.Hosts {
		client, err := dial(ctx, f, h, "forge")
		require.NoError(t, err)
		defer func() { _ = client.Close() }()
		clients = append(clients, client)
	}
	require.NoError(t, f.Hosts[0].DropConnections(ctx))
	require.Error(t, clients[0].Wait())
	_, err := over(ctx, clients[1], "true")
	require.NoError(t, err, "that of another host")

	require.NoError(t, f.DropConnections(ctx))
	for _, client := range clients[1:] {
		require.Error(t, client.Wait())
	}
	for _, h := range f.Hosts {
		_, err := login(ctx, f, h, "forge", "true")
		require.NoError(t, err)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	f := fleettest.Start(t, 1)
	ctx, h := within(t, time.Minute), f.Hosts[0]
	_, err := h.Run(ctx, "echo 'DenyUsers deploy' >>/etc/ssh/sshd_config")
	require.NoError(t, err)
	require.NoError(t, h.Reload(ctx))
	_, err = login(ctx, f, h, "deploy", "true")
	require.ErrorContains(t, err, "unable to authenticate")

	_, err = h.Run(ctx, "echo Nonsense >>/etc/ssh/sshd_config")
	require.NoError(t, err)
	require.ErrorIs(t, h.Reload(ctx), sshfleet.ErrEnded)
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for _, hosts := range []int{-1, 0, sshfleet.MaxHosts + 1} {
		_, err := sshfleet.Start(t.Context(), sshfleet.Config{Hosts: hosts})
		require.ErrorContains(t, err, "1 to 500")
	}
}

package sshexec_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
)

// sshd is Debian's OpenSSH server on a loopback port.
type sshd struct {
	addr    string
	hostKey ssh.PublicKey
	signer  ssh.Signer
}

func newKey(t testing.TB) (ssh.Signer, []byte) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return signer, pem.EncodeToMemory(block)
}

// startSSHD starts a server that lets root in, with more lines of sshd_config
// if wanted. It skips the test where that cannot be.
func startSSHD(t testing.TB, config ...string) *sshd {
	t.Helper()
	const binary = "/usr/sbin/sshd"
	missing := ""
	if _, err := os.Stat(binary); err != nil {
		missing = "needs OpenSSH's sshd: apt-get install openssh-server"
	} else if os.Geteuid() != 0 {
		missing = "needs root to start sshd"
	}
	if missing != "" {
		require.NotEqual(t, "1", os.Getenv("FORGE_TEST_MACHINES"), missing)
		t.Skip(missing)
	}
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	dir := t.TempDir()
	hostSigner, hostPEM := newKey(t)
	signer, _ := newKey(t)
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().String()
	require.NoError(t, listener.Close())
	_, port, _ := net.SplitHostPort(addr)
	text := fmt.Sprintf(`
ListenAddress 127.0.0.1:%s
HostKey %s
AuthorizedKeysFile %s
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
# Keeps this machine's ~/.bashrc, and the time it takes, out of the tests.
SetEnv SHLVL=1
`, port, write("hostkey", hostPEM), write("authorized_keys", ssh.MarshalAuthorizedKey(signer.PublicKey())))
	for _, line := range config {
		text += line + "\n"
	}
	cmd := exec.Command(binary, "-D", "-e", "-f", write("sshd_config", []byte(text)))
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd.Stderr = log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
		if t.Failed() {
			if text, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("sshd: %s", text)
			}
		}
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 5*time.Second, 10*time.Millisecond, "sshd does not listen")
	return &sshd{addr: addr, hostKey: hostSigner.PublicKey(), signer: signer}
}

func (s *sshd) target() sshexec.Target {
	return sshexec.Target{
		Addr:     s.addr,
		User:     "root",
		Signers:  []ssh.Signer{s.signer},
		HostKeys: sshexec.Pinned(s.hostKey),
	}
}

func (s *sshd) dial(t testing.TB) *sshexec.Client {
	t.Helper()
	c, err := sshexec.Dial(t.Context(), s.target())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func unixUser(t testing.TB, name string) *user.User {
	t.Helper()
	u, err := user.Lookup(name)
	require.NoError(t, err)
	return u
}

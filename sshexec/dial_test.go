package sshexec_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/skeema/knownhosts"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/sshexec"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

func requireStage(t *testing.T, err error, want sshexec.Stage) {
	t.Helper()
	var connect *sshexec.ConnectError
	require.ErrorAs(t, err, &connect)
	require.Equal(t, want, connect.Stage, "%v", err)
}

func requireChanged(t *testing.T, err error, want, got string) {
	t.Helper()
	requireStage(t, err, sshexec.StageHandshake)
	var changed *sshexec.HostKeyError
	require.ErrorAs(t, err, &changed)
	require.Equal(t, []string{want}, changed.Want)
	require.Equal(t, got, changed.Got)
}

func TestDialStages(t *testing.T) {
	t.Parallel()
	server := sshtest.New(t, nil)
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, l.Close())
		target := server.Target()
		target.Addr = l.Addr().String()
		_, err = sshexec.Dial(t.Context(), target)
		requireStage(t, err, sshexec.StageTCP)
	})
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		silent := sshtest.New(t, nil)
		silent.Set(sshtest.Faults{Silent: true})
		ctx, cancel := context.WithCancel(t.Context())
		target := silent.Target()
		target.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			cancel()
			return conn, err
		}
		_, err := sshexec.Dial(ctx, target)
		requireStage(t, err, sshexec.StageHandshake)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("authentication", func(t *testing.T) {
		t.Parallel()
		target := server.Target()
		other, _ := newKey(t)
		target.Signers = []ssh.Signer{other}
		_, err := sshexec.Dial(t.Context(), target)
		requireStage(t, err, sshexec.StageAuth)
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		c, err := sshexec.Dial(t.Context(), server.Target())
		require.NoError(t, err)
		require.NoError(t, c.Close())
		_, err = c.Run(t.Context(), sshexec.Command{})
		require.ErrorIs(t, err, sshexec.ErrClosed)
	})
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		server := sshtest.New(t, nil)
		c, err := sshexec.Dial(t.Context(), server.Target())
		require.NoError(t, err)
		defer c.Close()
		server.CloseConns()
		_, err = c.Run(t.Context(), sshexec.Command{})
		requireStage(t, err, sshexec.StageSession)
		require.ErrorIs(t, err, sshexec.ErrClosed)
	})
}

func TestHostKeys(t *testing.T) {
	t.Parallel()
	server := sshtest.New(t, nil)
	other, _ := newKey(t)
	shown, otherShown := ssh.FingerprintSHA256(server.HostKey), ssh.FingerprintSHA256(other.PublicKey())
	dial := func(keys sshexec.HostKeys) error {
		target := server.Target()
		target.HostKeys = keys
		c, err := sshexec.Dial(t.Context(), target)
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	t.Run("pinned", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, dial(sshexec.Pinned(other.PublicKey(), server.HostKey)))
		requireChanged(t, dial(sshexec.Pinned(other.PublicKey())), otherShown, shown)
		requireStage(t, dial(sshexec.Pinned()), sshexec.StageHandshake)
	})
	t.Run("another kind of key", func(t *testing.T) {
		t.Parallel()
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		key, err := ssh.NewPublicKey(private.Public())
		require.NoError(t, err)
		requireChanged(t, dial(sshexec.Pinned(key)), ssh.FingerprintSHA256(key), "[ssh-ed25519]")
	})
	t.Run("known hosts", func(t *testing.T) {
		t.Parallel()
		path := t.TempDir() + "/known_hosts"
		requireStage(t, dial(sshexec.KnownHosts(path)), sshexec.StageTCP)
		write := func(key ssh.PublicKey) {
			require.NoError(t, os.WriteFile(path, []byte(knownhosts.Line([]string{server.Addr}, key)+"\n"), 0o600))
		}
		write(server.HostKey)
		require.NoError(t, dial(sshexec.KnownHosts(path)))
		write(other.PublicKey())
		requireChanged(t, dial(sshexec.KnownHosts(path)), otherShown, shown)
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		requireStage(t, dial(sshexec.KnownHosts(path)), sshexec.StageHandshake)
	})
	t.Run("first use", func(t *testing.T) {
		t.Parallel()
		server := sshtest.New(t, nil)
		target := server.Target()
		target.HostKeys = sshexec.FirstUse()
		for range 2 {
			c, err := sshexec.Dial(t.Context(), target)
			require.NoError(t, err)
			defer c.Close()
		}
		server.Set(sshtest.Faults{HostKey: other})
		_, err := sshexec.Dial(t.Context(), target)
		requireChanged(t, err, ssh.FingerprintSHA256(server.HostKey), otherShown)
	})
	t.Run("pin refuses", func(t *testing.T) {
		t.Parallel()
		no := errors.New("no")
		pin := &pinning{err: no}
		err := dial(pin)
		requireStage(t, err, sshexec.StageHandshake)
		require.ErrorIs(t, err, no)
		require.Equal(t, server.HostKey.Marshal(), pin.key.Marshal())
	})
}

type pinning struct {
	key ssh.PublicKey
	err error
}

func (p *pinning) Known(context.Context, string) ([]ssh.PublicKey, error) { return nil, nil }

func (p *pinning) Pin(_ context.Context, _ string, key ssh.PublicKey) error {
	p.key = key
	return p.err
}

// OpenSSH has several host keys; the pinned one must be asked for.
func TestHostKeyKindsOnOpenSSH(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	path := t.TempDir() + "/rsa"
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	second, err := ssh.NewPublicKey(private.Public())
	require.NoError(t, err)

	server := startSSHD(t, "HostKey "+path)
	target := server.target()
	for _, key := range []ssh.PublicKey{server.hostKey, second} {
		target.HostKeys = sshexec.Pinned(key)
		c, err := sshexec.Dial(t.Context(), target)
		require.NoError(t, err, key.Type())
		require.NoError(t, c.Close())
	}
}

// A command whose server falls silent ends with its context all the same.
func TestRunOnSilentServer(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	server := sshtest.New(t, &sshtest.Options{Handler: func(ctx context.Context, _ *sshtest.Exec) int {
		close(started)
		<-ctx.Done()
		return 0
	}})
	target := server.Target()
	target.Timeout = 200 * time.Millisecond
	c, err := sshexec.Dial(t.Context(), target)
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		server.Set(sshtest.Faults{Silent: true})
		cancel()
	}()
	_, err = c.Run(ctx, sshexec.Command{Script: "true"})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, sshexec.ErrUnknown)
}

package providertest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
)

// acceptsLogin logs in with the control key, and where the host key was
// injected requires the machine to show it.
func (s *suite) acceptsLogin(t *testing.T) {
	cfg := &ssh.ClientConfig{
		User:            s.a.User,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(s.signers(t)...)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // replaced where the key is known
	}
	if keys := s.hostKeys(t); len(keys) > 0 {
		for _, key := range keys {
			cfg.HostKeyAlgorithms = append(cfg.HostKeyAlgorithms, key.Type())
		}
		cfg.HostKeyCallback = func(_ string, _ net.Addr, shown ssh.PublicKey) error {
			for _, key := range keys {
				if string(key.Marshal()) == string(shown.Marshal()) {
					return nil
				}
			}
			return errors.New("the machine shows a host key that it was not given")
		}
	}
	s.eventually(t, "the first login", func(ctx context.Context) error {
		return s.login(ctx, s.a, cfg)
	})
}

func (s *suite) signers(t *testing.T) []ssh.Signer {
	t.Helper()
	signers := []ssh.Signer{s.control}
	if a, ok := s.p.(provider.Authenticator); ok {
		more, err := a.Signers(t.Context(), s.a.Address)
		require.NoError(t, err)
		signers = append(signers, more...)
	}
	return signers
}

// hostKeys are the keys by which the machine is known before the first login.
func (s *suite) hostKeys(t *testing.T) []ssh.PublicKey {
	t.Helper()
	if s.p.Properties().InjectsHostKey {
		key, err := ssh.ParsePrivateKey(s.first.HostKey)
		require.NoError(t, err)
		return []ssh.PublicKey{key.PublicKey()}
	}
	if h, ok := s.p.(provider.HostKeyer); ok {
		keys, err := h.HostKeys(t.Context(), s.a.Address)
		require.NoError(t, err)
		return keys
	}
	return nil
}

// login connects, logs in and runs true.
func (s *suite) login(ctx context.Context, m *provider.Machine, cfg *ssh.ClientConfig) error {
	conn, err := s.dial(ctx, m)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c, channels, requests, err := ssh.NewClientConn(conn, m.Address, cfg)
	if err != nil {
		_ = conn.Close()
		return err
	}
	client := ssh.NewClient(c, channels, requests)
	defer func() { _ = client.Close() }()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	return session.Run("true")
}

func (s *suite) dial(ctx context.Context, m *provider.Machine) (net.Conn, error) {
	if d, ok := s.p.(provider.Dialer); ok {
		return d.DialMachine(ctx, m.Address, m.Port)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(m.Address, strconv.Itoa(m.Port)))
}

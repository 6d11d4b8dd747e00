package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
)

// connect opens the connection of a minimal Go program, as the user forge, over
// which floors are measured. It is closed with the lab.
func (l *lab) connect(ctx context.Context, h *host) (*ssh.Client, error) {
	c, err := h.dial(ctx)
	if err == nil {
		l.closers = append(l.closers, c.Close)
	}
	return c, err
}

func (h *host) dial(ctx context.Context) (*ssh.Client, error) {
	key, err := readKey(h.file("key"))
	if err != nil {
		return nil, err
	}
	pinned, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.server.HostKeys[0]))
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(h.server.Address, fmt.Sprint(h.server.Port))
	return dial(ctx, addr, "forge", key, pinned)
}

// dial connects as a minimal Go program does that cares for speed.
func dial(ctx context.Context, addr, user string, key ssh.Signer, pinned ssh.PublicKey) (*ssh.Client, error) {
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn, chans, reqs, err := ssh.NewClientConn(raw, addr, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(pinned),
		HostKeyAlgorithms: []string{pinned.Type()},
		Config:            ssh.Config{KeyExchanges: []string{ssh.KeyExchangeCurve25519}, Ciphers: []string{ssh.CipherAES128GCM}},
	})
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return ssh.NewClient(conn, chans, reqs), nil
}

// runIn runs a command in a session of its own.
func runIn(c *ssh.Client, command string, stdin io.Reader, stdout io.Writer) error {
	s, err := c.NewSession()
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	var stderr bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = stdin, stdout, &stderr
	if err := s.Run(command); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, stderr.Bytes())
	}
	return nil
}

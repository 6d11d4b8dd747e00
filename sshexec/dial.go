package sshexec

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/cpu"
)

const defaultDialTimeout = 15 * time.Second

// dial makes one connection within one deadline over all its stages.
// ssh.ClientConfig.Timeout would cover TCP alone.
func dial(ctx context.Context, t Target) (*conn, error) {
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = defaultDialTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var stage atomic.Value // the key exchange has a goroutine of its own
	stage.Store(StageTCP)
	fail := func(err error) error {
		if cause := context.Cause(ctx); cause != nil && !isHostKeyError(err) {
			err = cause
		}
		return &ConnectError{Addr: t.Addr, Stage: stage.Load().(Stage), Err: err}
	}

	if t.HostKeys == nil {
		return nil, fail(errors.New("the target has no host keys"))
	}
	known, err := t.HostKeys.Known(ctx, t.Addr)
	if err != nil {
		return nil, fail(err)
	}
	open := t.Dial
	if open == nil {
		open = new(net.Dialer).DialContext
	}
	raw, err := open(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, fail(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })

	stage.Store(StageHandshake)
	config := &ssh.ClientConfig{
		User:              t.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(t.Signers...)},
		ClientVersion:     "SSH-2.0-forge",
		HostKeyAlgorithms: hostKeyAlgorithms(known),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if err := checkHostKey(ctx, t, known, key); err != nil {
				return err
			}
			stage.Store(StageAuth)
			return nil
		},
		Config: ssh.Config{KeyExchanges: keyExchanges(), Ciphers: ciphers()},
	}
	w := &wire{Conn: prompt(raw)}
	c, chans, reqs, err := ssh.NewClientConn(w, t.Addr, config)
	if err != nil {
		_ = raw.Close()
		stop()
		return nil, fail(hostKeyMismatch(err, t.Addr, known))
	}
	if !stop() { // the deadline came just now and closes the connection
		_ = c.Close()
		return nil, fail(ctx.Err())
	}
	return &conn{ssh: ssh.NewClient(c, chans, reqs), wire: w, target: t}, nil
}

// keyExchanges are the library's, the cheapest first.
func keyExchanges() []string {
	return preferred(ssh.SupportedAlgorithms().KeyExchanges, ssh.KeyExchangeCurve25519)
}

// ciphers are the library's, the fastest on this machine first.
func ciphers() []string {
	if cpu.X86.HasAES || cpu.ARM64.HasAES {
		return preferred(ssh.SupportedAlgorithms().Ciphers, ssh.CipherAES128GCM)
	}
	return preferred(ssh.SupportedAlgorithms().Ciphers, ssh.CipherChaCha20Poly1305)
}

func preferred(all []string, first ...string) []string {
	rest := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(first, s) })
	return slices.Concat(first, rest)
}

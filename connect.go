package forge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/secret"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// client returns the pooled client of a server. Nothing is dialled before it is
// used.
func (c *core) client(srv *Server) *sshexec.Client {
	return c.pool.Client(srv.ID, func(ctx context.Context) (sshexec.Target, error) { return c.target(ctx, srv.ID) })
}

// target reads how a server is reached, as it is now.
func (c *core) target(ctx context.Context, serverID string) (sshexec.Target, error) {
	var srv *Server
	err := c.Store.View(ctx, func(tx Tx) (err error) {
		srv, err = tx.Servers().Get(serverID)
		return err
	})
	if err == nil && (srv.Status == ServerArchived || srv.Status == ServerDeleted) {
		err = srv.mustBe(ServerActive)
	}
	if err != nil {
		return sshexec.Target{}, err
	}
	p, err := c.provider(srv.Provider)
	if err != nil {
		return sshexec.Target{}, err
	}
	control, err := c.controlSigner(ctx, srv, srv.ControlKey)
	if err != nil {
		return sshexec.Target{}, err
	}
	target := sshexec.Target{
		Addr:     net.JoinHostPort(srv.Address, strconv.Itoa(srv.Port)),
		User:     srv.User,
		Signers:  []ssh.Signer{control},
		HostKeys: &serverKeys{core: c, server: srv, pinFirst: !p.Properties().InjectsHostKey},
	}
	if a, ok := p.(provider.Authenticator); ok && srv.Provisioned.IsZero() {
		first, err := a.Signers(ctx, srv.Address)
		if err != nil {
			return sshexec.Target{}, fmt.Errorf("signers for the first login: %w", err)
		}
		target.Signers = append(target.Signers, first...)
	}
	if d, ok := p.(provider.Dialer); ok {
		target.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialMachine(ctx, srv.Address, srv.Port)
		}
	}
	return target, nil
}

// controlSigner opens a control key of a server's.
func (c *core) controlSigner(ctx context.Context, srv *Server, sealed secret.Sealed) (ssh.Signer, error) {
	private, err := c.Sealer.Open(ctx, sealed, controlKeyPlace(srv.ID))
	if err != nil {
		return nil, fmt.Errorf("open the control key of server %s: %w", srv.ID, err)
	}
	signer, err := ssh.ParsePrivateKey([]byte(private.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("read the control key of server %s: %w", srv.ID, err)
	}
	return signer, nil
}

// serverKeys are the host keys in a server's record.
type serverKeys struct {
	core     *core
	server   *Server
	pinFirst bool
}

func (k *serverKeys) Known(context.Context, string) ([]ssh.PublicKey, error) {
	keys := make([]ssh.PublicKey, 0, len(k.server.HostKeys))
	for _, line := range k.server.HostKeys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, fmt.Errorf("read the host keys of server %s: %w", k.server.ID, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// Pin stores the first key that a server shows, where the provider could not
// give it one that is known. Only one of two first contacts wins.
func (k *serverKeys) Pin(ctx context.Context, addr string, key ssh.PublicKey) error {
	if !k.pinFirst {
		return &sshexec.HostKeyError{Addr: addr, Got: ssh.FingerprintSHA256(key)}
	}
	line := authorizedKey(key)
	return k.core.update(ctx, func(t *txn) error {
		srv, err := t.Servers().Get(k.server.ID)
		if err != nil {
			return err
		}
		if len(srv.HostKeys) > 0 && srv.HostKeys[0] != line {
			return &sshexec.HostKeyError{Addr: addr, Want: srv.HostKeys, Got: ssh.FingerprintSHA256(key)}
		}
		srv.HostKeys, srv.Updated = []string{line}, t.Now()
		return t.Servers().Update(srv)
	})
}

// unreachable turns a failure to reach the server, on the way there or on the way
// back, into a wait for another try: it is for scripts that may be repeated. A
// failure before the login is cheap to repeat; after that, sshd counts it as an
// attack.
func unreachable(err error) error {
	var connect *sshexec.ConnectError
	var hostKey *sshexec.HostKeyError
	switch {
	case errors.As(err, &hostKey):
		return err
	case errors.Is(err, sshexec.ErrUnknown):
		return &waiting{least: 200 * time.Millisecond, most: 5 * time.Second, why: err}
	case errors.Is(err, sshexec.ErrFenceBusy):
		return &waiting{least: 5 * time.Second, most: 30 * time.Second, why: err}
	case !errors.As(err, &connect):
		return err
	case connect.Stage == sshexec.StageTCP:
		return &waiting{least: 500 * time.Millisecond, most: 3 * time.Second, why: err}
	}
	return &waiting{least: 5 * time.Second, most: 15 * time.Second, why: err}
}

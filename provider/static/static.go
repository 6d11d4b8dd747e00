// Package static is a [provider.Provider] of machines that exist already. It
// makes and removes nothing, and does no I/O but to dial.
package static

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/validate"
	"github.com/seed-797f2c2c/forge/provider"
)

// Config configures a Provider. The zero value works for machines on which the
// control key was put beforehand.
type Config struct {
	// Signers are used for the first login, which puts the control key in
	// place. Defaults to none.
	Signers []ssh.Signer
	// Dial opens the TCP connection to a machine. Defaults to a net.Dialer.
	Dial func(ctx context.Context, address string, port int) (net.Conn, error)
	// HostKeys returns the host keys of a machine; none means that they are not
	// known, and the first one that is seen is pinned. Defaults to none for
	// every machine.
	HostKeys func(ctx context.Context, address string) ([]ssh.PublicKey, error)
}

// Provider gives machines that exist already. Machine.ID is user@address:port,
// so that a machine is known in every process without any state.
type Provider struct{ cfg Config }

var (
	_ provider.Provider      = (*Provider)(nil)
	_ provider.Dialer        = (*Provider)(nil)
	_ provider.Authenticator = (*Provider)(nil)
	_ provider.HostKeyer     = (*Provider)(nil)
)

// New makes a Provider.
func New(cfg Config) *Provider { return &Provider{cfg} }

// Validate finds nothing wrong: there is no account and no tool to check.
func (p *Provider) Validate(ctx context.Context) error { return ctx.Err() }

// Properties says that machines exist before forge and outlive it.
func (p *Provider) Properties() provider.Properties { return provider.Properties{Existing: true} }

// Create returns the machine at Spec.Address, which is an IP address or a host
// name. Port defaults to 22 and User to root. What is not valid is
// provider.ErrInvalid.
func (p *Provider) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := spec.Validate(p.Properties()); err != nil {
		return nil, fmt.Errorf("static: %w", err)
	}
	if spec.Port == 0 {
		spec.Port = 22
	}
	if spec.User == "" {
		spec.User = "root"
	}
	m, err := machine(spec.User, spec.Address, spec.Port)
	if err != nil {
		return nil, fmt.Errorf("static: %w", err)
	}
	m.SpecID, m.Name = spec.ID, spec.Name
	return m, nil
}

// Get returns the machine of an id that Create gave, without its SpecID and
// Name, which are kept nowhere. Another id is provider.ErrNotFound.
func (p *Provider) Get(ctx context.Context, id string) (*provider.Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := parse(id)
	if err != nil || m.ID != id {
		return nil, fmt.Errorf("static: %w: %q is not a machine id, as user@address:port", provider.ErrNotFound, id)
	}
	return m, nil
}

// Delete leaves the machine as it is.
func (p *Provider) Delete(ctx context.Context, _ string) error { return ctx.Err() }

// DialMachine opens a connection to a machine by Config.Dial.
func (p *Provider) DialMachine(ctx context.Context, address string, port int) (net.Conn, error) {
	if p.cfg.Dial != nil {
		return p.cfg.Dial(ctx, address, port)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
}

// Signers returns Config.Signers.
func (p *Provider) Signers(context.Context, string) ([]ssh.Signer, error) {
	return p.cfg.Signers, nil
}

// HostKeys returns what Config.HostKeys knows.
func (p *Provider) HostKeys(ctx context.Context, address string) ([]ssh.PublicKey, error) {
	if p.cfg.HostKeys == nil {
		return nil, nil
	}
	return p.cfg.HostKeys(ctx, address)
}

var userName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,31}$`)

// machine describes the machine at an address, in the form that is the same
// however the address was written.
func machine(user, address string, port int) (*provider.Machine, error) {
	if !userName.MatchString(user) {
		return nil, fmt.Errorf("%w: User must be a unix user name of at most 32 letters, digits, dots, dashes and underscores", provider.ErrInvalid)
	}
	address, err := validate.Address("Address", address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrInvalid, err)
	}
	if _, err := validate.Port("Port", port); err != nil {
		return nil, fmt.Errorf("%w: %w", provider.ErrInvalid, err)
	}
	m := &provider.Machine{
		ID:      user + "@" + net.JoinHostPort(address, strconv.Itoa(port)),
		Status:  provider.StatusActive,
		Address: address,
		Port:    port,
		User:    user,
	}
	if ip, err := netip.ParseAddr(address); err == nil && ip.Is4() {
		m.IPv4 = ip
	} else if err == nil {
		m.IPv6 = ip
	}
	return m, nil
}

func parse(id string) (*provider.Machine, error) {
	user, rest, _ := strings.Cut(id, "@")
	address, text, err := net.SplitHostPort(rest)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	return machine(user, address, port)
}

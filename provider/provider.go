// Package provider defines how forge obtains machines. An adapter for a cloud,
// for the local Linux box or for machines that exist already implements
// [Provider], which is all that forge requires. What only some of them can do
// is in the small optional interfaces beside it.
package provider

import (
	"context"
	"net"
	"net/netip"
	"time"

	"golang.org/x/crypto/ssh"
)

// Provider makes and removes machines. Implementations are safe for
// concurrent use; every method honours its context.
//
// Errors wrap one of the sentinels of this package, so that a caller can tell
// what another try would bring.
type Provider interface {
	// Validate checks that the provider can be used: tools, rights, a token.
	Validate(ctx context.Context) error

	// Create asks for a machine. It is idempotent by Spec.ID: a machine that
	// bears this id already is returned as it is. The machine need not be
	// active yet. An error may leave a machine behind, which the next Create
	// with the same id finds again.
	Create(ctx context.Context, spec Spec) (*Machine, error)

	// Get looks a machine up by the provider's own id, Machine.ID. It returns
	// ErrNotFound when there is none; right after Create that can be a
	// passing answer.
	Get(ctx context.Context, id string) (*Machine, error)

	// Delete removes a machine by the provider's own id and everything that
	// Create made with it. What is gone already is no error.
	Delete(ctx context.Context, id string) error

	// Properties says what the provider is able to do. It does no I/O.
	Properties() Properties
}

// Properties are the static traits of a provider.
type Properties struct {
	// InjectsHostKey is set when Create puts Spec.HostKey on the machine
	// before its first start, so that the first connection can be verified.
	InjectsHostKey bool
	// Existing is set when machines exist before forge and outlive it: Create
	// takes Spec.Address, and Delete removes nothing at the provider.
	Existing bool
	// Options are those that the provider has.
	Options Offered
}

// Spec describes the machine that Create should make. The zero value of an
// optional field leaves the choice to the provider.
type Spec struct {
	ID     string // forge's id for the server; Create is idempotent by it
	Name   string // host name, valid by RFC 1123
	Region string
	Size   string
	Image  string // distribution and version, as "debian-12"
	// AuthorizedKey is the public half of the control key, one line in
	// authorized_keys format, which the login user accepts from the start.
	AuthorizedKey string
	// HostKey is an ed25519 private key in OpenSSH PEM, used where
	// Properties.InjectsHostKey is set.
	HostKey []byte
	// Labels are passed on to providers that know labels.
	Labels map[string]string
	Options

	// Address, Port and User are for providers with Properties.Existing.
	Address string
	Port    int
	User    string
}

// Status is the state of a machine at its provider.
type Status string

// The states of a machine.
const (
	StatusPending Status = "pending" // being made, has perhaps no address yet
	StatusActive  Status = "active"  // switched on; SSH may need some more time
	StatusOff     Status = "off"
	StatusError   Status = "error" // the provider gave up
)

// Machine is what a provider knows of one machine.
type Machine struct {
	ID      string // the provider's own id
	SpecID  string // the Spec.ID it was made for
	Name    string
	Status  Status
	Address string     // host name or address where SSH listens
	Port    int        // SSH port
	User    string     // login user: root, or one with sudo without a password
	IPv4    netip.Addr // public address, if any
	IPv6    netip.Addr
	Private netip.Addr
	Labels  map[string]string
	Created time.Time
	// Vendor is the machine as the provider's own client library describes it;
	// see As. It is nil where there is no such library.
	Vendor any
}

// As returns the vendor's own description of a machine, such as a *godo.Droplet,
// and whether it is of that type.
func As[T any](m *Machine) (T, bool) {
	v, ok := m.Vendor.(T)
	return v, ok
}

// Lister is implemented by providers that can list what forge made there.
type Lister interface {
	// List returns the machines that bear forge's label, of any Spec.ID.
	List(ctx context.Context) ([]*Machine, error)
}

// Dialer is implemented by providers whose machines are not reached by a plain
// TCP connection to Machine.Address.
type Dialer interface {
	DialMachine(ctx context.Context, address string, port int) (net.Conn, error)
}

// Authenticator is implemented by providers whose machines do not accept the
// control key from the start: its signers are used for the first login, which
// puts the control key in place.
type Authenticator interface {
	Signers(ctx context.Context, address string) ([]ssh.Signer, error)
}

// HostKeyer is implemented by providers that know the host keys of a machine
// which they did not make.
type HostKeyer interface {
	HostKeys(ctx context.Context, address string) ([]ssh.PublicKey, error)
}

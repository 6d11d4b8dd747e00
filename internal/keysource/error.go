package keysource

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"

	"code.dny.dev/ssrf"

	"github.com/seed-797f2c2c/forge/internal/validate"
)

// Error says why a document could not be fetched. Of the address it has the
// host alone, as the rest may be a secret.
type Error struct {
	Host    string
	Reason  string
	Missing bool // the host has no such document
}

func (e *Error) Error() string { return e.Host + ": " + e.Reason }

// explain is the error of a fetch in words of our own. Those of net and
// net/http have addresses inside the network, and texts of the host's.
func explain(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *validate.Error
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var errno syscall.Errno
	switch because := func(reason string) error { return &Error{Host: host, Reason: reason} }; {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return refuse("must lead to an address of the public internet")
	case errors.Is(err, context.DeadlineExceeded):
		return because("it took longer than " + timeLimit.String())
	case errors.As(err, &name):
		return because("its name could not be resolved")
	case errors.As(err, &certificate):
		return because("its certificate is not valid")
	case errors.As(err, &errno):
		return because(errno.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return because("it closed the connection")
	default:
		return because("it does not speak HTTP over TLS as it should")
	}
}

// ruleOf is what an error of a value says without its field.
func ruleOf(err error) string {
	var broken *validate.Error
	if errors.As(err, &broken) {
		return broken.Rule
	}
	return err.Error()
}

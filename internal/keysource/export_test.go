package keysource

import (
	"context"
	"net"
	"net/http"
)

// Guarded dials as Source does, names resolved by another resolver, and to
// another port than what is asked for.
func Guarded(resolver *net.Resolver, port string) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := guarded()
	d.Resolver = resolver
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, network, net.JoinHostPort(host, port))
	}
}

// Dialler is what a source connects with.
func Dialler(s Source) func(ctx context.Context, network, address string) (net.Conn, error) {
	return s.client().Transport.(*http.Transport).DialContext
}

// Guard says whether an address is connected to.
func Guard(network, address string) error { return guarded().Control(network, address, nil) }

// TimeLimit is how long a fetch may take.
const TimeLimit = timeLimit

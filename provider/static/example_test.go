package static_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
)

func Example() {
	ctx := context.Background()
	p := static.New(static.Config{})

	m, err := p.Create(ctx, provider.Spec{ID: "s1", Name: "web-1", Address: "203.0.113.7", User: "deploy"})
	if err != nil {
		panic(err)
	}
	fmt.Println(m.ID, m.Status)

	_, err = p.Create(ctx, provider.Spec{ID: "s2", Name: "web-2", Address: "-oProxyCommand=reboot"})
	fmt.Println(errors.Is(err, provider.ErrInvalid))
	// Output:
	// deploy@203.0.113.7:22 active
	// true
}

// Machines behind a bastion, with keys and host keys of the embedder's own.
func ExampleConfig() {
	bastion := func(context.Context) (*ssh.Client, error) { return nil, errors.New("no bastion in an example") }
	fleet := map[string]ssh.PublicKey{} // from the inventory

	p := static.New(static.Config{
		Signers: []ssh.Signer{}, // from an agent or a hardware key
		Dial: func(ctx context.Context, address string, port int) (net.Conn, error) {
			client, err := bastion(ctx)
			if err != nil {
				return nil, err
			}
			return client.DialContext(ctx, "tcp", net.JoinHostPort(address, fmt.Sprint(port)))
		},
		HostKeys: func(_ context.Context, address string) ([]ssh.PublicKey, error) {
			key, ok := fleet[address]
			if !ok {
				return nil, fmt.Errorf("%s is not in the inventory", address)
			}
			return []ssh.PublicKey{key}, nil
		},
	})
	_, err := p.DialMachine(context.Background(), "10.0.0.7", 22)
	fmt.Println(err)
	_, err = p.HostKeys(context.Background(), "10.0.0.7")
	fmt.Println(err)
	// Output:
	// no bastion in an example
	// 10.0.0.7 is not in the inventory
}

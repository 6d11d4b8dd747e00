package static_test

import (
	"context"
	"net"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/provider/static"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

// The first login is by the embedder's own signer and dialer, to a machine
// whose host key is known.
func TestConformanceWithALogin(t *testing.T) {
	t.Parallel()
	srv := sshtest.New(t, &sshtest.Options{Handler: func(context.Context, *sshtest.Exec) int { return 0 }})
	p := static.New(static.Config{
		Signers: []ssh.Signer{srv.Signer},
		Dial: func(ctx context.Context, _ string, _ int) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", srv.Addr)
		},
		HostKeys: func(context.Context, string) ([]ssh.PublicKey, error) { return []ssh.PublicKey{srv.HostKey}, nil },
	})
	providertest.Test(t, p, &providertest.Options{
		Spec:    func(n int) provider.Spec { return provider.Spec{Address: "web.example", Port: 22 + n} },
		Timeout: 10 * time.Second,
	})
}

package servertest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/sshexec"
)

// setUp installs what the tests need, as the stack does. The exit code of apt
// decides.
const setUp = `
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends nginx php-fpm git curl openssh-client >/dev/null
install -d -m 0755 /etc/nginx/forge.d
rm -f /etc/nginx/sites-enabled/default
cat >/etc/nginx/conf.d/forge.conf <<'END'
server_names_hash_bucket_size 512;
server { listen 80 default_server; listen [::]:80 default_server; return 444; }
include /etc/nginx/forge.d/*.conf;
END
nginx -t -q
systemctl reload-or-restart nginx
ls /etc/php`

// shared is the machine of a package's tests, made for the first that asks.
type shared struct {
	once    sync.Once
	server  *Server
	err     error
	missing error // why there cannot be a machine here
	remove  func() error
}

var theMachine shared

// Main is the TestMain of a package that uses Start: it runs the tests and
// removes their machine.
func Main(m *testing.M) {
	code := m.Run()
	if theMachine.remove != nil {
		if err := theMachine.remove(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func (s *shared) boot() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	machines, err := nspawn.New(nspawn.Config{})
	if err != nil {
		s.err = err
		return
	}
	if s.missing = machines.Validate(ctx); s.missing != nil {
		return
	}
	signer, _, err := newKey()
	hostSigner, hostPEM, hostErr := newKey()
	if s.err = errors.Join(err, hostErr); s.err != nil {
		return
	}
	machine, err := machines.Create(ctx, provider.Spec{
		ID: "servertest-" + uuid.NewString(), Name: "servertest", Image: os.Getenv("FORGE_TEST_IMAGE"),
		AuthorizedKey: string(ssh.MarshalAuthorizedKey(signer.PublicKey())), HostKey: hostPEM,
	})
	if err != nil {
		s.err = err
		return
	}
	s.remove = func() error { return machines.Delete(context.Background(), machine.ID) }
	client, err := backoff.Retry(ctx, func() (*sshexec.Client, error) {
		return sshexec.Dial(ctx, sshexec.Target{
			Addr: net.JoinHostPort(machine.Address, fmt.Sprint(machine.Port)), User: machine.User,
			Signers: []ssh.Signer{signer}, HostKeys: sshexec.Pinned(hostSigner.PublicKey()),
		})
	}, backoff.WithMaxElapsedTime(time.Minute))
	if err != nil {
		s.err = err
		return
	}
	result, err := client.Run(ctx, sshexec.Command{Script: setUp})
	if err != nil {
		s.err = err
		return
	}
	s.server = &Server{Client: client, PHP: firstLine(result.Stdout)}
}

func newKey() (ssh.Signer, []byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, pem.EncodeToMemory(block), err
}

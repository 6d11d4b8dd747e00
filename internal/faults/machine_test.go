package faults

import (
	"context"
	_ "embed"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/stack"
	"github.com/seed-797f2c2c/forge/internal/testmachine"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/nspawn"
	"github.com/seed-797f2c2c/forge/sshexec"
)

//go:embed gate.sh
var gateScript string

// gated are the commands that a gate stands before: one of each job's own.
const gated = "gate useradd userdel perl systemctl nginx stat apt-get"

// php is the version that the machines have.
func php() string {
	if testmachine.Image() == "debian-13" {
		return "8.4"
	}
	return "8.2"
}

// installed is a machine with the stack, whose gates are open. Its install by
// forge finds all but the settings of SSH done already.
func installed(t *testing.T) string {
	t.Helper()
	config := stack.Config{OS: testmachine.Image(), PHP: []string{php()}}
	version := stackScript(t, config, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	return testmachine.Layer{
		Name: "faults",
		// The lists of packages are good for a day.
		Version: string(version) + gateScript + gated + time.Now().UTC().Format(time.DateOnly),
		Prepare: func(m *testmachine.Machine) error {
			script := stackScript(t, config, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(m.Signer.PublicKey()))))
			var log strings.Builder
			status, err := m.SSH(t).Attach(t.Context(), sshexec.RunSpec{ID: "stack-" + uuid.NewString(), Script: script}, 0, &log)
			require.NoError(t, err)
			require.Equal(t, sshexec.RunExited, status.State)
			require.Zero(t, status.ExitCode, log.String())
			// The next machine has keys of its own, where sshd looks at first.
			_, err = m.Run(t.Context(), sshexec.Command{Script: `cat >/usr/local/sbin/gate
chmod 0755 /usr/local/sbin/gate
for name in $1; do [[ $name == gate ]] || ln -s gate "/usr/local/sbin/$name"; done
rm -r /var/lib/forge/runs /etc/ssh/sshd_config.d/00-forge.conf /etc/ssh/authorized_keys.d/root`,
				Args: []string{gated}, Stdin: strings.NewReader(gateScript)})
			return err
		},
	}.Image(t)
}

func stackScript(t *testing.T, config stack.Config, key string) []byte {
	t.Helper()
	config.ControlKey = key
	script, err := stack.Build(config)
	require.NoError(t, err)
	return script.Bytes
}

// cloud makes machines of the local box, and tells when it does and when they
// are dialled.
type cloud struct {
	*nspawn.Provider
	// made, where it is set, has each machine before Create returns, and says
	// what Create does.
	made func(*provider.Machine) (*provider.Machine, error)
	// gone, where it is set, is called by Delete.
	gone func()

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	dialed chan struct{} // has one when somebody dialled since watch
}

var _ provider.Dialer = (*cloud)(nil)

func newCloud(t *testing.T, diskMiB int) *cloud {
	t.Helper()
	p := testmachine.Provider(t, nspawn.Config{
		Images: map[string]string{testmachine.Image(): installed(t)}, DiskMiB: diskMiB,
	})
	return &cloud{Provider: p, conns: map[net.Conn]struct{}{}, dialed: make(chan struct{}, 1)}
}

func (c *cloud) Create(ctx context.Context, spec provider.Spec) (*provider.Machine, error) {
	m, err := c.Provider.Create(ctx, spec)
	if err == nil && c.made != nil {
		return c.made(m)
	}
	return m, err
}

func (c *cloud) Delete(ctx context.Context, id string) error {
	if c.gone != nil {
		c.gone()
	}
	return c.Provider.Delete(ctx, id)
}

// DialMachine implements provider.Dialer.
func (c *cloud) DialMachine(ctx context.Context, address string, port int) (net.Conn, error) {
	select {
	case c.dialed <- struct{}{}:
	default:
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = struct{}{}
	return &cuttable{conn, c}, nil
}

// cut closes every connection, so that the next command has to dial.
func (c *cloud) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		_ = conn.Close()
	}
	clear(c.conns)
	select {
	case <-c.dialed:
	default:
	}
}

type cuttable struct {
	net.Conn
	cloud *cloud
}

func (c *cuttable) Close() error {
	c.cloud.mu.Lock()
	delete(c.cloud.conns, c.Conn)
	c.cloud.mu.Unlock()
	return c.Conn.Close()
}

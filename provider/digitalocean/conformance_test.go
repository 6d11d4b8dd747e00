package digitalocean_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/digitalocean"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/digitalocean"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/sshexec/sshtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]fake.Config{
		"at once":    {},
		"takes time": {Boot: 20 * time.Millisecond, Work: 10 * time.Millisecond, Dying: 10 * time.Millisecond, Missing: 2},
		"by limits":  {PerHour: 5000, PerMinute: 250},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, _, p := account(t, cfg)
			foreign := api.AddDroplet("foreign", "web", "forge:other")
			providertest.Test(t, &booted{Provider: p, t: t, api: api}, &providertest.Options{
				UnknownID: fmt.Sprint(foreign),
				Resize:    "s-2vcpu-4gb",
				Rebuild:   "debian-13",
				Timeout:   time.Minute,
				Poll:      5 * time.Millisecond,
			})
			require.Equal(t, 2, api.Made(), "the suite spares machines")
			require.Len(t, api.Droplets(), 1, "the foreign one is left")
			require.Empty(t, api.Keys())
			require.ElementsMatch(t, []string{"web", "forge:other", "forge", "purpose:conformance"}, api.Tags())
		})
	}
}

// booted has an SSH server for each droplet, with the host key and the login that the
// droplet's user data and keys say.
type booted struct {
	*digitalocean.Provider
	t   *testing.T
	api *fake.API

	mu      sync.Mutex
	servers map[string]*sshtest.Server
}

func (b *booted) DialMachine(ctx context.Context, address string, _ int) (net.Conn, error) {
	srv, err := b.server(ctx, address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", srv.Addr)
}

func (b *booted) server(ctx context.Context, address string) (*sshtest.Server, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if srv := b.servers[address]; srv != nil {
		return srv, nil
	}
	machines, err := b.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		if m.Address != address {
			continue
		}
		for _, d := range b.api.Droplets() {
			if fmt.Sprint(d.ID) == m.ID {
				return b.boot(address, d)
			}
		}
	}
	return nil, fmt.Errorf("nothing listens at %s", address)
}

func (b *booted) boot(address string, d fake.Droplet) (*sshtest.Server, error) {
	opts := &sshtest.Options{Handler: func(context.Context, *sshtest.Exec) int { return 0 }}
	var pem strings.Builder
	for line := range strings.Lines(d.UserData) {
		pem.WriteString(strings.TrimSpace(line) + "\n")
	}
	text := pem.String()
	begin, end := strings.Index(text, "-----BEGIN"), strings.LastIndex(text, "-----\n")
	var err error
	if opts.HostKey, err = ssh.ParsePrivateKey([]byte(text[begin : end+len("-----\n")])); err != nil {
		return nil, err
	}
	for _, line := range d.Keys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			return nil, err
		}
		opts.AuthorizedKeys = append(opts.AuthorizedKeys, key)
	}
	if b.servers == nil {
		b.servers = make(map[string]*sshtest.Server)
	}
	b.servers[address] = sshtest.New(b.t, opts)
	return b.servers[address], nil
}

func TestMachine(t *testing.T) {
	t.Parallel()
	_, _, p := account(t, fake.Config{})
	s := spec(t, "Server_1")
	s.Labels = map[string]string{"env": "Production", "a.b/c_d": "x y", "bare": "", "größe": "½"}
	_, err := p.Create(t.Context(), s)
	require.NoError(t, err)
	machines, err := p.List(t.Context())
	require.NoError(t, err)
	require.Len(t, machines, 1)
	m := machines[0]
	require.Equal(t, "Server_1", m.SpecID)
	require.Equal(t, "web-server-1", m.Name)
	require.Equal(t, provider.StatusActive, m.Status)
	require.Equal(t, s.Labels, m.Labels)
	require.Equal(t, m.IPv4.String(), m.Address)
	require.True(t, netip.MustParsePrefix("198.18.0.0/15").Contains(m.IPv4))
	require.True(t, m.IPv6.Is6())
	require.True(t, m.Private.IsPrivate())
	require.WithinDuration(t, time.Now(), m.Created, time.Minute)
}

package static_test

import (
	"context"
	"crypto/ed25519"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"pgregory.net/rapid"

	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/static"
)

func spec(address string, port int, user string) provider.Spec {
	return provider.Spec{ID: "s1", Name: "web-1", Address: address, Port: port, User: user}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	p := static.New(static.Config{})
	tests := []struct {
		spec provider.Spec
		want provider.Machine
	}{
		{spec("203.0.113.7", 0, ""), provider.Machine{ID: "root@203.0.113.7:22", Address: "203.0.113.7", Port: 22, User: "root", IPv4: netip.MustParseAddr("203.0.113.7")}},
		{spec("Web.Example.COM", 2222, "deploy"), provider.Machine{ID: "deploy@web.example.com:2222", Address: "web.example.com", Port: 2222, User: "deploy"}},
		{spec("2001:DB8:0::1", 22, "root"), provider.Machine{ID: "root@[2001:db8::1]:22", Address: "2001:db8::1", Port: 22, User: "root", IPv6: netip.MustParseAddr("2001:db8::1")}},
	}
	for _, test := range tests {
		test.want.SpecID, test.want.Name, test.want.Status = "s1", "web-1", provider.StatusActive
		m, err := p.Create(t.Context(), test.spec)
		require.NoError(t, err)
		require.Equal(t, &test.want, m)

		// Another process knows the machine by its id.
		again, err := static.New(static.Config{}).Get(t.Context(), m.ID)
		require.NoError(t, err)
		test.want.SpecID, test.want.Name = "", ""
		require.Equal(t, &test.want, again)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	p := static.New(static.Config{})
	bad := map[string][]provider.Spec{
		"Port": {spec("a.example", -1, ""), spec("a.example", 65536, "")},
	}
	for _, address := range []string{
		"", " ", "-oProxyCommand=id", "a b", "a\nb", "a.example\n", "a..b", ".a", "a_b", "[::1]", "::1%eth0", "a.example:22",
		"root@a.example", "ssh://a.example", "a/b", "ä.example", "256.1.1.1", "127.1", "a;id", "$(id)", strings.Repeat("a", 64),
	} {
		bad["Address"] = append(bad["Address"], spec(address, 22, "root"))
	}
	for _, user := range []string{"-l", "a b", "a@b", "a:b", "a\n", "$(id)", "1a", "ä", strings.Repeat("a", 33)} {
		bad["User"] = append(bad["User"], spec("a.example", 22, user))
	}
	for field, specs := range bad {
		for _, spec := range specs {
			m, err := p.Create(t.Context(), spec)
			require.ErrorIs(t, err, provider.ErrInvalid, "%+v", spec)
			require.ErrorContains(t, err, field, "%+v", spec)
			require.Nil(t, m)
		}
	}
}

func TestGetTakesTheIDsOfCreateAlone(t *testing.T) {
	t.Parallel()
	p := static.New(static.Config{})
	for _, id := range []string{
		"", "a", "a.example:22", "root@a.example", "root@a.example:", "root@a.example:022", "root@a.example:+22", "root@A.example:22",
		"root@a.example:ssh", "root@2001:db8::1:22", "root@[2001:DB8::1]:22", "root@[a.example]:22", "@a.example:22", "-a@a.example:22",
	} {
		_, err := p.Get(t.Context(), id)
		require.ErrorIs(t, err, provider.ErrNotFound, id)
	}
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.String().Draw(rt, "id")
		m, err := p.Get(t.Context(), id)
		if err != nil {
			require.ErrorIs(rt, err, provider.ErrNotFound)
			return
		}
		again, err := p.Create(t.Context(), spec(m.Address, m.Port, m.User))
		require.NoError(rt, err)
		require.Equal(rt, id, again.ID)
	})
}

func TestConfigOfTheEmbedder(t *testing.T) {
	t.Parallel()
	zero := static.New(static.Config{})
	signers, err := zero.Signers(t.Context(), "a.example")
	require.NoError(t, err)
	require.Empty(t, signers)
	keys, err := zero.HostKeys(t.Context(), "a.example")
	require.NoError(t, err)
	require.Empty(t, keys)

	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	_, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	key := signer.PublicKey()
	p := static.New(static.Config{
		Signers: []ssh.Signer{signer},
		Dial: func(_ context.Context, address string, port int) (net.Conn, error) {
			require.Equal(t, "a.example", address)
			require.Equal(t, 2222, port)
			return here, nil
		},
		HostKeys: func(_ context.Context, address string) ([]ssh.PublicKey, error) {
			require.Equal(t, "a.example", address)
			return []ssh.PublicKey{key}, nil
		},
	})
	conn, err := p.DialMachine(t.Context(), "a.example", 2222)
	require.NoError(t, err)
	require.Same(t, here, conn)
	signers, err = p.Signers(t.Context(), "a.example")
	require.NoError(t, err)
	require.Equal(t, []ssh.Signer{signer}, signers)
	keys, err = p.HostKeys(t.Context(), "a.example")
	require.NoError(t, err)
	require.Equal(t, []ssh.PublicKey{key}, keys)
}

func TestDialsTCPByDefault(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	conn, err := static.New(static.Config{}).DialMachine(t.Context(), "127.0.0.1", l.Addr().(*net.TCPAddr).Port)
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = static.New(static.Config{}).DialMachine(ctx, "127.0.0.1", l.Addr().(*net.TCPAddr).Port)
	require.ErrorIs(t, err, context.Canceled)
}

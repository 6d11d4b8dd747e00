package vultr_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/vultr"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/providertest"
	"github.com/seed-797f2c2c/forge/provider/vultr"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T, c *fake.Cloud, fault func(*http.Request) fakecloud.Fault) *vultr.Provider {
	t.Helper()
	p, err := vultr.New(vultr.Config{
		APIKey: secret.New(fake.Key), Region: "fra", Size: "vc2-1c-1gb",
		Transport: &fakecloud.Transport{Handler: c, Fault: fault},
	})
	require.NoError(t, err)
	return p
}

func spec(t *testing.T, id string) provider.Spec {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	return provider.Spec{ID: id, Name: "web-1", AuthorizedKey: string(ssh.MarshalAuthorizedKey(key)), HostKey: pem.EncodeToMemory(block)}
}

// instance is one that somebody else made, with these tags.
func instance(id string, tags ...any) fake.Thing {
	return fake.Thing{"id": id + "-0000-4000-9000-000000000000", "tags": tags, "power_status": "running", "main_ip": "198.18.255.1"}
}

// The suite that every provider has to pass.
func TestConformance(t *testing.T) {
	t.Parallel()
	foreign := instance("00000007", "forge=staging", "forge-id=x", "by hand")
	foreignKey := fake.Thing{"id": "k", "name": "forge/staging/x", "ssh_key": "other"}
	c := &fake.Cloud{Instances: []fake.Thing{foreign}, Keys: []fake.Thing{foreignKey}}
	providertest.Test(t, connect(t, c, nil), &providertest.Options{
		Spec: func(int) provider.Spec {
			return provider.Spec{Region: "fra", Size: "vc2-1c-1gb", Image: "debian-12"}
		},
		UnknownID: foreign["id"].(string), // which another installation of forge has
		NoLogin:   true,
		Poll:      50 * time.Millisecond,
	})
	require.Equal(t, 2, c.Made)
	require.Equal(t, []fake.Thing{foreign}, c.Instances, "what forge did not make is left")
	require.Equal(t, []fake.Thing{foreignKey}, c.Keys)
	require.Zero(t, c.Refused, "the rate limit is kept")
}

// The suite again, on the real thing.
func TestLive(t *testing.T) {
	t.Parallel()
	key := os.Getenv("VULTR_API_KEY")
	if key == "" {
		t.Skip("did not run: VULTR_API_KEY is not set")
	}
	p, err := vultr.New(vultr.Config{APIKey: secret.New(key), Namespace: "forge-test"})
	require.NoError(t, err)
	providertest.Test(t, p, &providertest.Options{
		Spec: func(int) provider.Spec {
			return provider.Spec{Region: "fra", Size: "vc2-1c-1gb", Image: "debian-12"}
		},
		UnknownID: "00000000-0000-4000-8000-000000000000",
	})
}

// An instance that is being installed has no address, and cannot be deleted yet.
func TestInstalling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &fake.Cloud{Install: 20 * time.Second}
		p := connect(t, c, nil)
		m, err := p.Create(t.Context(), spec(t, "s1"))
		require.NoError(t, err)
		require.Equal(t, provider.StatusPending, m.Status)
		require.Empty(t, m.Address)
		require.False(t, m.IPv4.IsValid())
		begun := time.Now()
		require.NoError(t, p.Delete(t.Context(), m.ID))
		require.Less(t, time.Since(begun), 30*time.Second)
		require.Empty(t, c.Instances)

		c.Install = time.Hour
		m, err = p.Create(t.Context(), spec(t, "s2"))
		require.NoError(t, err)
		err = p.Delete(t.Context(), m.ID)
		require.ErrorIs(t, err, provider.ErrUnavailable)
		require.ErrorContains(t, err, "Server is currently locked")
	})
}

// Vultr restarts an instance that is on when it is told to start.
func TestPowerOnDoesNotRestart(t *testing.T) {
	t.Parallel()
	c := new(fake.Cloud)
	p := connect(t, c, nil)
	m, err := p.Create(t.Context(), spec(t, "s1"))
	require.NoError(t, err)
	for _, order := range []func() error{
		func() error { return p.PowerOn(t.Context(), m.ID) },
		func() error { return p.PowerOff(t.Context(), m.ID) },
		func() error { return p.PowerOff(t.Context(), m.ID) },
		func() error { return p.PowerOn(t.Context(), m.ID) },
		func() error { return p.Reboot(t.Context(), m.ID) },
	} {
		require.NoError(t, order())
	}
	require.Equal(t, []string{"halt", "start", "reboot"}, c.Orders)
	c.Instances = append(c.Instances, instance("00000009"))
	require.ErrorIs(t, p.PowerOff(t.Context(), c.Instances[1]["id"].(string)), provider.ErrNotFound)
	require.Len(t, c.Orders, 3)
}

func TestCatalog(t *testing.T) {
	t.Parallel()
	got, err := connect(t, new(fake.Cloud), nil).Catalog(t.Context())
	require.NoError(t, err)
	require.Equal(t, []provider.Image{
		{Name: "debian-12", Description: "Debian 12 x64 (bookworm)", Architecture: provider.X86},
		{Name: "ubuntu-24.04", Description: "Ubuntu 24.04 LTS x64", Architecture: provider.X86},
	}, got.Images)
	require.Equal(t, provider.Region{Name: "sea", Description: "Seattle, US"}, got.Regions[2])
	price := provider.Price{Monthly: "6.1", Hourly: "0.009", Currency: "USD"}
	require.Equal(t, provider.Size{
		Name: "vhf-1c-1gb", Description: "vhf", Architecture: provider.X86, Cores: 1, MemoryMB: 1024, DiskGB: 32,
		Offers: []provider.Offer{{Region: "fra", Price: price}, {Region: "ewr", Price: price}},
	}, got.Sizes[1])
}

// More requests than the limit are spread, and where others have used it up, there is
// a second to wait and not a minute.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := new(fake.Cloud)
		p := connect(t, c, nil)
		for range 100 {
			require.NoError(t, p.Validate(t.Context()))
		}
		require.Zero(t, c.Refused)
		var err error
		for err == nil {
			err = connect(t, c, nil).Validate(t.Context()) // which knows nothing of the others
		}
		require.Equal(t, 1, c.Refused)
		var limit *provider.RateLimitError
		require.ErrorAs(t, err, &limit)
		require.LessOrEqual(t, time.Until(limit.Reset), 2*time.Second)
		time.Sleep(time.Until(limit.Reset))
		require.NoError(t, p.Validate(t.Context()))
	})
}

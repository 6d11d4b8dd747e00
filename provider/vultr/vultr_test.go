package vultr_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vultr/govultr/v3"
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

// Whatever is lost on the way, an id has one instance, and in the end nothing is left.
func TestLostAnswersMakeNoSecondInstance(t *testing.T) {
	t.Parallel()
	const parts = 4 // at the same time
	for part := range uint64(parts) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			faults := 0
			for seed := part; seed < 1000; seed += parts {
				synctest.Test(t, func(t *testing.T) { faults += loseAnswers(t, seed) })
			}
			require.Greater(t, faults, 500)
		})
	}
}

func loseAnswers(t *testing.T, seed uint64) int {
	t.Helper()
	var faults atomic.Int64
	c := &fake.Cloud{Install: 5 * time.Second, Lag: time.Duration(seed%3) * time.Second}
	random := fakecloud.RandomFaults(seed, 4)
	p := connect(t, c, func(r *http.Request) fakecloud.Fault {
		f := random(r)
		if f != (fakecloud.Fault{}) {
			faults.Add(1)
		}
		return f
	})
	var m *provider.Machine
	wanted := spec(t, "s1")
	again(t, func() (err error) { m, err = p.Create(t.Context(), wanted); return err })
	require.Equal(t, 1, c.Made, "seed %d", seed)
	require.NotEmpty(t, c.Keys)
	again(t, func() error { return p.Delete(t.Context(), m.ID) })
	require.Empty(t, c.Instances, "seed %d", seed)
	require.Empty(t, c.Keys, "seed %d", seed)
	return int(faults.Load())
}

// again tries what passes until it works, as forge does.
func again(t *testing.T, call func() error) {
	t.Helper()
	for {
		err := call()
		if !errors.Is(err, provider.ErrUnavailable) && !errors.Is(err, provider.ErrRateLimit) {
			require.NoError(t, err)
			return
		}
		time.Sleep(time.Second)
	}
}

// The answer to the create is lost after its effect; govultr would send it four times.
func TestCreateIsSentOnce(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]fakecloud.Fault{
		"cut": {Lost: true}, "503": {Lost: true, Status: 503}, "page of a proxy": {Lost: true, Status: 403},
		"redirect": {Lost: true, Status: 307}, "empty answer": {Lost: true, Status: 202},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, sent := &fake.Cloud{Lag: 5 * time.Second}, 0
				p := connect(t, c, func(r *http.Request) fakecloud.Fault {
					if r.Method == http.MethodPost && r.URL.Path == "/v2/instances" {
						sent++
						return lost
					}
					return fakecloud.Fault{}
				})
				m, err := p.Create(t.Context(), spec(t, "s1"))
				require.NoError(t, err)
				require.Equal(t, 1, sent)
				require.Equal(t, c.Instances[0]["id"], m.ID)
				require.Len(t, c.Keys, 1)
			})
		})
	}
}

// Two instances of one id, made by whatever, are for a person to settle.
func TestDoubledInstancesAreNamed(t *testing.T) {
	t.Parallel()
	c := new(fake.Cloud)
	for _, id := range []string{"00000001", "00000002", "00000003"} {
		c.Instances = append(c.Instances, instance(id, "forge=forge", "forge-id=s1"))
	}
	c.Instances[1]["tags"] = []any{"forge=forge", "forge-id=S1"}
	_, err := connect(t, c, nil).Create(t.Context(), spec(t, "s1"))
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, "instances 00000001-0000-4000-9000-000000000000, 00000003-0000-4000-9000-000000000000 all bear the id s1")
	require.Zero(t, c.Made)
}

func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	c := new(fake.Cloud)
	p := connect(t, c, nil)
	s := spec(t, "s1")
	s.Labels = map[string]string{"Team name": "a=b, c", "forge": "mine"}
	s.Options = provider.Options{UserData: "#!/bin/sh\n", Backups: true, Network: "vpc-1"}
	m, err := p.Create(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"Team name": "a=b, c"}, m.Labels)
	i := c.Instances[0]
	require.Equal(t, []any{"forge=forge", "forge-id=s1", "Team+name=a%3Db%2C+c"}, i["tags"])
	require.Equal(t, []any{c.Keys[0]["id"]}, i["sshkey_id"])
	require.Equal(t, []any{"vpc-1"}, i["attach_vpc"])
	require.Equal(t, "enabled", i["backups"])
	require.Equal(t, []any{"web-1", "web-1", true, false}, []any{i["hostname"], i["label"], i["enable_ipv6"], i["activation_email"]})
	userData, err := base64.StdEncoding.DecodeString(i["user_data"].(string))
	require.NoError(t, err)
	require.Contains(t, string(userData), "ssh_keys")
	require.Contains(t, string(userData), "#!/bin/sh")
	v, ok := provider.As[*govultr.Instance](m)
	require.True(t, ok)
	require.Equal(t, "web-1", v.Hostname)
	require.Equal(t, "forge/forge/s1", c.Keys[0]["name"])
}

// A key that the account has and Vultr does not take twice is used, and is there when
// the instance is gone.
func TestKeyOfOthersIsLeft(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		s := spec(t, "s1")
		mine := fake.Thing{"id": "mine", "name": "mine", "ssh_key": strings.TrimSpace(s.AuthorizedKey)}
		c := &fake.Cloud{Unique: unique, Keys: []fake.Thing{mine}}
		p := connect(t, c, nil)
		m, err := p.Create(t.Context(), s)
		require.NoError(t, err)
		require.Len(t, c.Keys, map[bool]int{true: 1, false: 2}[unique])
		require.NoError(t, p.Delete(t.Context(), m.ID))
		require.Equal(t, []fake.Thing{mine}, c.Keys)
	}
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

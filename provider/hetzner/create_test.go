package hetzner_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/stretchr/testify/require"

	"github.com/seed-797f2c2c/forge/internal/fakecloud"
	fake "github.com/seed-797f2c2c/forge/internal/fakecloud/hetzner"
	"github.com/seed-797f2c2c/forge/provider"
	"github.com/seed-797f2c2c/forge/provider/hetzner"
	"github.com/seed-797f2c2c/forge/secret"
)

func TestCreateAsksForWhatTheSpecSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fake.Config{Boot: 20 * time.Second, Hidden: 3 * time.Second})
		s := spec(1)
		s.Region, s.Size, s.Image = "hel1", "cax11", "ubuntu-24.04"
		s.HostKey = hostKey(t)
		s.Labels = map[string]string{"team": "web", "example.com/tier": ""}
		s.Options = provider.Options{
			UserData:  "#cloud-config\npackages: [htop]\n",
			Backups:   true,
			Network:   fmt.Sprint(w.api.AddNetwork()),
			Firewalls: []string{fmt.Sprint(w.api.AddFirewall()), fmt.Sprint(w.api.AddFirewall())},
			IPv6Only:  true,
		}
		m, err := w.Create(t.Context(), s)
		require.NoError(t, err)

		srv := w.api.Servers()[0]
		require.Equal(t, "hel1", srv.Region)
		require.Equal(t, "cax11", srv.Size)
		require.Equal(t, int64(161547270), srv.Image, "the one for the architecture")
		require.Equal(t, []string{publicKey()}, srv.Keys)
		require.Contains(t, srv.UserData, "BEGIN OPENSSH PRIVATE KEY")
		require.Contains(t, srv.UserData, "packages: [htop]")
		require.Equal(t, map[string]string{"team": "web", "example.com/tier": "", "forge": "forge", "forge-id": "id-1"}, srv.Labels)
		require.True(t, srv.Backups)
		require.Len(t, srv.Networks, 1)
		require.Len(t, srv.Firewalls, 2)
		require.False(t, srv.IPv4)

		require.Equal(t, "id-1", m.SpecID)
		require.Equal(t, s.Labels, m.Labels, "without forge's own")
		m, err = w.Get(t.Context(), m.ID)
		require.NoError(t, err)
		require.Equal(t, provider.StatusActive, m.Status)
		require.False(t, m.IPv4.IsValid())
		require.Equal(t, m.IPv6.String(), m.Address, "of a /64 the first address")
		require.True(t, strings.HasSuffix(m.Address, "::1"), m.Address)
		require.True(t, netip.MustParsePrefix("10.0.0.0/16").Contains(m.Private))
		vendor, ok := provider.As[*hcloud.Server](m)
		require.True(t, ok)
		require.Equal(t, "cax11", vendor.ServerType.Name)
	})
}

func TestCreateHasBothAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	m, err := w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	require.True(t, m.IPv4.Is4())
	require.True(t, m.IPv6.Is6())
	require.Equal(t, m.IPv4.String(), m.Address)
	require.Equal(t, "root", m.User)
	require.Equal(t, 22, m.Port)
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	w.api.SellOut("cx33", "fsn1")
	many := strings.Repeat("a", 64)
	for name, test := range map[string]struct {
		change func(*provider.Spec)
		kind   error
		says   string
	}{
		"no key":                 {func(s *provider.Spec) { s.AuthorizedKey = "" }, provider.ErrInvalid, "AuthorizedKey"},
		"monitoring":             {func(s *provider.Spec) { s.Monitoring = true }, provider.ErrInvalid, "onitoring"},
		"network by name":        {func(s *provider.Spec) { s.Network = "lan" }, provider.ErrInvalid, "Network"},
		"firewall by name":       {func(s *provider.Spec) { s.Firewalls = []string{"web"} }, provider.ErrInvalid, "Firewalls"},
		"user data too long":     {func(s *provider.Spec) { s.UserData = "#!/bin/sh\n" + strings.Repeat("#", 32<<10) }, provider.ErrInvalid, "UserData is too long"},
		"label of forge":         {func(s *provider.Spec) { s.Labels = map[string]string{"forge-id": "x"} }, provider.ErrInvalid, `"forge-id"`},
		"label name":             {func(s *provider.Spec) { s.Labels = map[string]string{"a b": "x"} }, provider.ErrInvalid, `"a b"`},
		"label name too long":    {func(s *provider.Spec) { s.Labels = map[string]string{many: "x"} }, provider.ErrInvalid, many},
		"label value":            {func(s *provider.Spec) { s.Labels = map[string]string{"team": "web team"} }, provider.ErrInvalid, `"team"`},
		"label value too long":   {func(s *provider.Spec) { s.Labels = map[string]string{"team": many} }, provider.ErrInvalid, `"team"`},
		"region":                 {func(s *provider.Spec) { s.Region = "fra1" }, provider.ErrInvalid, "ash, fsn1, hel1, nbg1"},
		"size":                   {func(s *provider.Spec) { s.Size = "cx99" }, provider.ErrInvalid, "cax11, cx23"},
		"size elsewhere":         {func(s *provider.Spec) { s.Size, s.Region = "cax11", "nbg1" }, provider.ErrCapacity, "cax11 is available in fsn1, hel1"},
		"size sold out":          {func(s *provider.Spec) { s.Size = "cx33" }, provider.ErrCapacity, "cx33 is available in hel1, nbg1"},
		"size no longer offered": {func(s *provider.Spec) { s.Size = "cx22" }, provider.ErrCapacity, "cx22"},
		"image":                  {func(s *provider.Spec) { s.Image = "debian-99" }, provider.ErrInvalid, "debian-12"},
		"image of another arch":  {func(s *provider.Spec) { s.Image, s.Size = "rocky-9", "cax11" }, provider.ErrInvalid, "cax11 (arm)"},
		"unknown network":        {func(s *provider.Spec) { s.Network = "99" }, provider.ErrInvalid, "network not found"},
		"unknown firewall":       {func(s *provider.Spec) { s.Firewalls = []string{"99"} }, provider.ErrInvalid, "firewall not found"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec(1)
			test.change(&s)
			m, err := w.Create(t.Context(), s)
			require.ErrorIs(t, err, test.kind)
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, "hetzner: create: ")
			require.Nil(t, m)
			require.Empty(t, w.api.Servers())
			require.Empty(t, w.api.Keys())
		})
	}
}

func TestCreateOfATakenName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	foreign := w.api.AddServer("web-1", nil)
	_, err := w.Create(t.Context(), spec(1))
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, fmt.Sprintf(`"web-1" is that of server %d, which forge did not make`, foreign))
	require.Empty(t, w.api.Keys())

	_, err = w.Create(t.Context(), spec(2))
	require.NoError(t, err)
	other := spec(3)
	other.Name = "web-2"
	_, err = w.Create(t.Context(), other)
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, "which is forge's id-2")
	require.Len(t, w.api.Servers(), 2)
}

func TestCreateReportsMoreThanOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	mark := map[string]string{"forge": "forge", "forge-id": "id-1"}
	one, two := w.api.AddServer("a", mark), w.api.AddServer("b", mark)
	_, err := w.Create(t.Context(), spec(1))
	require.ErrorIs(t, err, provider.ErrConflict)
	require.ErrorContains(t, err, fmt.Sprintf("%d, %d", one, two))
	require.Zero(t, w.api.Made())
}

// What was made before is found, whatever the catalogue says now.
func TestCreateFindsWhatIsSoldOutSince(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	m, err := w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	w.api.SellOut("cx23", "fsn1")
	again, err := use(t, w.api, "token").Create(t.Context(), spec(1))
	require.NoError(t, err)
	require.Equal(t, m.ID, again.ID)
}

func TestNamespacesDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fake.Config{})
	staging, err := hetzner.New(hetzner.Config{
		Token: secret.New("token"), Transport: &fakecloud.Transport{Handler: w.api}, Namespace: "staging", Region: "fsn1", Size: "cx23",
	})
	require.NoError(t, err)
	a, err := w.Create(t.Context(), spec(1))
	require.NoError(t, err)
	same := spec(1)
	same.Name = "web-1-staging"
	b, err := staging.Create(t.Context(), same)
	require.NoError(t, err)
	require.NotEqual(t, a.ID, b.ID)

	_, err = staging.Get(t.Context(), a.ID)
	require.ErrorIs(t, err, provider.ErrNotFound)
	require.NoError(t, staging.Delete(t.Context(), a.ID))
	require.ErrorIs(t, staging.PowerOff(t.Context(), a.ID), provider.ErrNotFound)
	list, err := staging.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, b.ID, list[0].ID)
	require.Len(t, w.api.Servers(), 2)
}
